import { cpus, hostname, release, totalmem } from 'node:os';
import { readFile } from 'node:fs/promises';
import { readTextIfPresent } from '../base/files.ts';
import type { EngineFacts } from './services.ts';

/** The product's version. */
export const productVersion = '0.1.0';

/** Reads what there is to know of this machine. */
export async function readFacts(
  known: Pick<EngineFacts, 'id' | 'dataRoot' | 'cgroupVersion' | 'runtimes' | 'defaultRuntime' | 'layerForm'>,
): Promise<EngineFacts> {
  const system = await operatingSystem();
  const apparmor = (await readTextIfPresent('/sys/module/apparmor/parameters/enabled'))?.trim() === 'Y';
  const warnings = [
    ...(known.layerForm === 'directory'
      ? ['WARNING: layers are kept as directories: this kernel or file system cannot mount EROFS from a file']
      : []),
    ...((await hasCapability(24)) ? [] : ['WARNING: no CAP_SYS_RESOURCE: hard resource limits cannot be raised']),
    ...(apparmor ? [] : ['WARNING: no AppArmor on this machine: containers run without a profile']),
  ];
  return {
    ...known,
    version: productVersion,
    gitCommit: '',
    kernelVersion: release(),
    operatingSystem: system.name,
    operatingSystemVersion: system.version,
    processorCount: cpus().length,
    memoryBytes: totalmem(),
    hostName: hostname(),
    securityOptions: ['name=seccomp,profile=builtin', ...(known.cgroupVersion === 2 ? ['name=cgroupns'] : [])],
    warnings,
  };
}

async function operatingSystem(): Promise<{ readonly name: string; readonly version: string }> {
  const text = (await readTextIfPresent('/etc/os-release')) ?? '';
  const value = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { name: value('PRETTY_NAME') || 'Linux', version: value('VERSION_ID') };
}

async function hasCapability(bit: number): Promise<boolean> {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n;
}
