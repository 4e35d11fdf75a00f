import { stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { EngineError } from '../base/errors.ts';
import type { HostConfig, RateDevice } from '../formats/engine-api/host-config.ts';
import { describeDevice, deviceNumbers, listHostDevices } from '../runtime/spec/devices.ts';
import type { DeviceRate, NamespacesInput, ResourcesInput, SpecInput, SpecMount } from '../runtime/spec/input.ts';
import type { ResolvedUser } from '../runtime/spec/user.ts';
import type { ContainerMount, ContainerRecord } from './record.ts';

/** What a start adds to a record. */
export interface SpecSurroundings {
  readonly rootfs: string;
  readonly user: ResolvedUser;
  readonly runtime: 'crun' | 'runc';
  readonly cgroupsPath: string;
  readonly nameFiles: readonly SpecMount[];
  readonly availableCapabilities: readonly string[];
  readonly kernelRelease: string;
}

/** Translates a container's record into what the runtime's specification is made of. @throws {EngineError} invalidArgument */
export async function specInput(record: ContainerRecord, around: SpecSurroundings): Promise<SpecInput> {
  const { config, hostConfig } = record;
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  const seccomp = await seccompOf(security);
  return {
    id: record.id,
    runtime: around.runtime,
    cgroupsPath: around.cgroupsPath,
    hostname: config.Hostname,
    domainname: config.Domainname,
    rootfs: around.rootfs,
    readonlyRootfs: hostConfig.ReadonlyRootfs,
    process: {
      args: record.args,
      env: environmentOf(record, { home: around.user.home, terminal: config.Tty, more: [] }),
      cwd: config.WorkingDir || '/',
      user: around.user,
      terminal: config.Tty,
      noNewPrivileges: security.noNewPrivileges,
      oomScoreAdj: hostConfig.OomScoreAdj,
      ulimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    },
    privileged: hostConfig.Privileged,
    capabilities: { add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [] },
    availableCapabilities: around.availableCapabilities,
    mounts: [...around.nameFiles, ...record.mounts.map(specMount)],
    namespaces: namespacesOf(record),
    resources: await resourcesOf(hostConfig),
    sysctls: hostConfig.Sysctls ?? {},
    ...(seccomp === undefined ? {} : { seccomp }),
    kernelRelease: around.kernelRelease,
    maskedPaths: security.unconfinedPaths ? [] : (hostConfig.MaskedPaths ?? []),
    readonlyPaths: security.unconfinedPaths ? [] : (hostConfig.ReadonlyPaths ?? []),
    cpuCount: cpus().length,
    devices: await devicesOf(hostConfig),
    deviceCgroupRules: hostConfig.DeviceCgroupRules ?? [],
    shmSizeBytes: hostConfig.ShmSize,
    annotations: hostConfig.Annotations ?? {},
  };
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Returns a process's environment: docker's own variables first, the configured ones win. */
export function environmentOf(
  record: ContainerRecord,
  options: { readonly home: string; readonly terminal: boolean; readonly more: readonly string[] },
): readonly string[] {
  const { config } = record;
  const configured = [...(config.Env ?? []), ...options.more];
  const variables = new Map<string, string>();
  const own = [defaultPath, `HOSTNAME=${config.Hostname}`, ...(options.terminal ? ['TERM=xterm'] : [])];
  for (const variable of [...own, ...configured]) {
    const name = variable.split('=', 1)[0] ?? '';
    // A variable without `=` is one to leave out.
    if (variable.includes('=')) variables.set(name, variable);
    else variables.delete(name);
  }
  if (!variables.has('HOME')) variables.set('HOME', `HOME=${options.home}`);
  return [...variables.values()];
}

function specMount(mount: ContainerMount): SpecMount {
  if (mount.type === 'tmpfs') return { type: 'tmpfs', target: mount.destination, options: mount.options };
  const { source, destination: target, readOnly } = mount;
  return { type: 'bind', source, target, readOnly, propagation: mount.propagation as 'rprivate' };
}

function namespacesOf({ hostConfig, network }: ContainerRecord): NamespacesInput {
  const path = network?.namespacePath;
  const host = { kind: 'host' } as const;
  const own = { kind: 'private' } as const;
  return {
    network:
      path === undefined ? (hostConfig.NetworkMode === 'host' ? host : { kind: 'none' }) : { kind: 'path', path },
    ipc: hostConfig.IpcMode === 'host' ? host : hostConfig.IpcMode === 'none' ? { kind: 'none' } : own,
    pid: hostConfig.PidMode === 'host' ? host : own,
    uts: hostConfig.UTSMode === 'host' ? host : own,
    cgroup: hostConfig.CgroupnsMode === 'private' ? own : host,
  };
}

/** What `--security-opt` asks for. */
export interface SecurityOptions {
  readonly seccomp?: string;
  readonly noNewPrivileges: boolean;
  readonly unconfinedPaths: boolean;
}

/** Reads `--security-opt`. @throws {EngineError} invalidArgument in docker's words */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let parsed: SecurityOptions = { noNewPrivileges: false, unconfinedPaths: false };
  for (const option of options) {
    const [name, value] = splitOption(option);
    if (name === 'no-new-privileges') parsed = { ...parsed, noNewPrivileges: value === undefined || value === 'true' };
    else if (name === 'seccomp' && value !== undefined) parsed = { ...parsed, seccomp: value };
    else if (name === 'systempaths' && value === 'unconfined') parsed = { ...parsed, unconfinedPaths: true };
    else if ((name === 'apparmor' && value === 'unconfined') || (name === 'label' && value === 'disable')) continue;
    else
      throw new EngineError(
        'invalidArgument',
        `invalid --security-opt ${value === undefined ? 1 : 2}: ${JSON.stringify(option)}`,
      );
  }
  return parsed;
}

function splitOption(option: string): readonly [string, string?] {
  const at = option.search(/[=:]/);
  return at < 0 ? [option] : [option.slice(0, at), option.slice(at + 1)];
}

async function seccompOf(security: SecurityOptions): Promise<SpecInput['seccomp']> {
  switch (security.seccomp) {
    case undefined:
      return undefined;
    case 'unconfined':
      return 'unconfined';
    case 'builtin':
      return 'default';
    default:
      try {
        return JSON.parse(security.seccomp) as Exclude<SpecInput['seccomp'], string | undefined>;
      } catch (error) {
        throw new EngineError('invalidArgument', 'Decoding seccomp profile failed: not JSON', { cause: error });
      }
  }
}

async function devicesOf(hostConfig: HostConfig): Promise<NonNullable<SpecInput['devices']>> {
  if (hostConfig.Privileged) return listHostDevices();
  const described = await Promise.all(
    (hostConfig.Devices ?? []).map(({ PathOnHost, PathInContainer, CgroupPermissions }) =>
      describeDevice(PathOnHost, PathInContainer || PathOnHost, CgroupPermissions || 'rwm'),
    ),
  );
  return described.flat();
}

async function resourcesOf(hostConfig: HostConfig): Promise<ResourcesInput> {
  const { NanoCpus, CpuPeriod, CpuQuota, PidsLimit, OomKillDisable } = hostConfig;
  const positive = (value: number, name: keyof ResourcesInput): Partial<ResourcesInput> =>
    value === 0 ? {} : { [name]: value };
  const swap = hostConfig.MemorySwap !== 0 ? hostConfig.MemorySwap : hostConfig.Memory > 0 ? hostConfig.Memory * 2 : 0;
  return {
    ...positive(hostConfig.Memory, 'memoryBytes'),
    ...positive(swap, 'memorySwapBytes'),
    ...positive(hostConfig.MemoryReservation, 'memoryReservationBytes'),
    ...(hostConfig.MemorySwappiness === null || hostConfig.MemorySwappiness === -1
      ? {}
      : { memorySwappiness: hostConfig.MemorySwappiness }),
    ...(OomKillDisable === true ? { oomKillDisable: true } : {}),
    ...positive(hostConfig.CpuShares, 'cpuShares'),
    ...(NanoCpus > 0
      ? { cpuPeriodMicroseconds: 100_000, cpuQuotaMicroseconds: Math.floor(NanoCpus / 10_000) }
      : { ...positive(CpuPeriod, 'cpuPeriodMicroseconds'), ...positive(CpuQuota, 'cpuQuotaMicroseconds') }),
    ...(hostConfig.CpusetCpus === '' ? {} : { cpusetCpus: hostConfig.CpusetCpus }),
    ...(hostConfig.CpusetMems === '' ? {} : { cpusetMems: hostConfig.CpusetMems }),
    ...(PidsLimit === null || PidsLimit === 0 ? {} : { pidsLimit: PidsLimit }),
    ...positive(hostConfig.BlkioWeight, 'blkioWeight'),
    blkioWeightDevices: await rates(
      (hostConfig.BlkioWeightDevice ?? []).map(({ Path, Weight }) => ({ Path, Rate: Weight })),
    ),
    blkioReadBytesPerSecond: await rates(hostConfig.BlkioDeviceReadBps ?? []),
    blkioWriteBytesPerSecond: await rates(hostConfig.BlkioDeviceWriteBps ?? []),
    blkioReadOperationsPerSecond: await rates(hostConfig.BlkioDeviceReadIOps ?? []),
    blkioWriteOperationsPerSecond: await rates(hostConfig.BlkioDeviceWriteIOps ?? []),
  };
}

async function rates(devices: readonly RateDevice[]): Promise<readonly DeviceRate[]> {
  return Promise.all(
    devices.map(async ({ Path, Rate }) => ({ ...deviceNumbers((await stat(Path)).rdev), value: Rate })),
  );
}
