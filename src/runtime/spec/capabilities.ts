import { readFile } from 'node:fs/promises';
import { EngineError } from '../../base/errors.ts';
import type { CapabilityChange } from './input.ts';
import type { RuntimeCapabilities } from './runtime-spec.ts';

/** All capabilities in the order of their numbers (capabilities(7)). */
export const capabilityNames: readonly string[] = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** What a container has by default, as Docker. */
export const defaultCapabilities: readonly string[] =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/**
 * Returns the capabilities of a container: the defaults changed by `add` and `drop` (an added one wins over `drop: ALL`), or
 * all for a privileged one, never more than `available`.
 *
 * @throws {EngineError} invalidArgument for an unknown name or one that this machine cannot give.
 */
export function effectiveCapabilities(
  change: CapabilityChange,
  privileged: boolean,
  available: readonly string[] = capabilityNames,
): readonly string[] {
  const add = new Set(change.add.map(normalize));
  const drop = new Set(change.drop.map(normalize));
  for (const name of add) {
    if (name !== 'ALL' && !available.includes(name)) {
      throw new EngineError('invalidArgument', `capability not supported by your kernel or not available: "${name}"`);
    }
  }
  if (privileged) return available;
  const base = drop.has('ALL') ? [] : add.has('ALL') ? available : defaultCapabilities;
  const chosen = new Set(base.filter((name) => !drop.has(name)));
  if (add.has('ALL') && drop.has('ALL')) for (const name of available) chosen.add(name);
  for (const name of add) if (name !== 'ALL') chosen.add(name);
  return capabilityNames.filter((name) => chosen.has(name) && available.includes(name));
}

/** Returns the runtime-spec form: inheritable and ambient stay empty (CVE-2022-24769). */
export function capabilitySets(names: readonly string[]): RuntimeCapabilities {
  return { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] };
}

/** Returns the capabilities that this process may pass on: its bounding set. */
export async function readAvailableCapabilities(): Promise<readonly string[]> {
  const mask = /^CapBnd:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'latin1'))?.[1] ?? '0';
  const bits = BigInt(`0x${mask}`);
  return capabilityNames.filter((_, index) => ((bits >> BigInt(index)) & 1n) === 1n);
}

function normalize(name: string): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!capabilityNames.includes(full)) throw new EngineError('invalidArgument', `invalid capability: "${name}"`);
  return full;
}
