import { CommandError } from '../command-error.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { parseByteSize } from '../format/byte-sizes.ts';
import { parseDevice, parseDeviceRate, parseGpus } from './devices.ts';
import { keyValues } from './environment.ts';
import { parseMount } from './mounts.ts';
import type { PortBinding } from './ports.ts';
import { parseSecurity } from './security.ts';

/** What other flags have said already. */
export interface HostConfigInput {
  readonly binds: readonly string[];
  readonly bindings: Readonly<Record<string, readonly PortBinding[]>>;
  readonly networkMode: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Returns the `HostConfig` that the flags of `run` and `create` describe; only what is asked for is in it. @throws {CommandError} */
export function hostConfigOf(flags: FlagValues, { binds, bindings, networkMode }: HostConfigInput): Fields {
  checkModes(flags);
  const driver = flags.string('log-driver');
  if (driver === 'none' && flags.has('log-opt')) throw new CommandError(`invalid logging opts for driver ${driver}`);
  const restart = parseRestart(flags.string('restart', 'no'));
  if (flags.bool('rm') && restart.Name !== 'no') {
    throw new CommandError('conflicting options: cannot specify both --restart and --rm');
  }
  return {
    Binds: binds,
    ContainerIDFile: flags.string('cidfile'),
    LogConfig: { Type: driver, Config: keyValues(flags.list('log-opt')) },
    NetworkMode: networkMode,
    PortBindings: bindings,
    RestartPolicy: restart,
    AutoRemove: flags.bool('rm'),
    ...texts(flags, { VolumeDriver: 'volume-driver', CgroupnsMode: 'cgroupns', IpcMode: 'ipc', PidMode: 'pid' }),
    ...texts(flags, { UTSMode: 'uts', UsernsMode: 'userns', Isolation: 'isolation', Runtime: 'runtime' }),
    ...lists(flags, { VolumesFrom: 'volumes-from', CapAdd: 'cap-add', CapDrop: 'cap-drop', GroupAdd: 'group-add' }),
    Dns: flags.list('dns'),
    DnsOptions: flags.list('dns-option', 'dns-opt'),
    DnsSearch: flags.list('dns-search'),
    ...lists(flags, { Links: 'link' }),
    ...(flags.has('add-host') ? { ExtraHosts: flags.list('add-host').map(extraHost) } : {}),
    ...switches(flags, { Privileged: 'privileged', PublishAllPorts: 'publish-all', ReadonlyRootfs: 'read-only' }),
    ...(flags.has('init') ? { Init: flags.bool('init') } : {}),
    ...(flags.has('oom-score-adj') ? { OomScoreAdj: flags.number('oom-score-adj') } : {}),
    ...(flags.has('mount') ? { Mounts: flags.list('mount').map(parseMount) } : {}),
    ...maps(flags, { Annotations: 'annotation', Sysctls: 'sysctl' }),
    ...storageOptions(flags),
    ...securityOptions(flags),
    ...(flags.has('tmpfs') ? { Tmpfs: tmpfsOf(flags.list('tmpfs')) } : {}),
    ...sizes(flags, { ShmSize: 'shm-size' }),
    ...resourcesOf(flags),
  };
}

function resourcesOf(flags: FlagValues): Fields {
  const swappiness = flags.number('memory-swappiness') ?? -1;
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw new CommandError(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  const rates = (name: string, unit: 'bytes' | 'count'): Fields[] =>
    flags.list(name).map((value) => parseDeviceRate(value, unit));
  return {
    ...sizes(flags, { Memory: 'memory', MemoryReservation: 'memory-reservation', MemorySwap: 'memory-swap' }),
    ...sizes(flags, { KernelMemory: 'kernel-memory' }),
    ...(swappiness === -1 ? {} : { MemorySwappiness: swappiness }),
    ...numbers(flags, { CpuShares: 'cpu-shares', CpuPeriod: 'cpu-period', CpuQuota: 'cpu-quota' }),
    ...numbers(flags, { CpuRealtimePeriod: 'cpu-rt-period', CpuRealtimeRuntime: 'cpu-rt-runtime' }),
    ...numbers(flags, { PidsLimit: 'pids-limit', BlkioWeight: 'blkio-weight' }),
    ...(flags.has('cpus') ? { NanoCpus: Math.round((flags.number('cpus') ?? 0) * 1e9) } : {}),
    ...texts(flags, { CpusetCpus: 'cpuset-cpus', CpusetMems: 'cpuset-mems', CgroupParent: 'cgroup-parent' }),
    ...switches(flags, { OomKillDisable: 'oom-kill-disable' }),
    ...lists(flags, { DeviceCgroupRules: 'device-cgroup-rule' }),
    ...(flags.has('device') ? { Devices: flags.list('device').map(parseDevice) } : {}),
    ...(flags.has('gpus') ? { DeviceRequests: flags.list('gpus').map(parseGpus) } : {}),
    ...(flags.has('ulimit') ? { Ulimits: flags.list('ulimit').map(parseUlimit) } : {}),
    ...(flags.has('blkio-weight-device') ? { BlkioWeightDevice: weightsOf(flags) } : {}),
    ...(flags.has('device-read-bps') ? { BlkioDeviceReadBps: rates('device-read-bps', 'bytes') } : {}),
    ...(flags.has('device-write-bps') ? { BlkioDeviceWriteBps: rates('device-write-bps', 'bytes') } : {}),
    ...(flags.has('device-read-iops') ? { BlkioDeviceReadIOps: rates('device-read-iops', 'count') } : {}),
    ...(flags.has('device-write-iops') ? { BlkioDeviceWriteIOps: rates('device-write-iops', 'count') } : {}),
  };
}

/** A namespace is the host's or another container's, or the flag is wrong. */
function checkModes(flags: FlagValues): void {
  const check = (name: string, pattern: RegExp, what: string): void => {
    if (!pattern.test(flags.string(name))) throw new CommandError(`--${name}: invalid ${what} mode`);
  };
  check('pid', /^(host|container:.+)?$/, 'PID');
  check('uts', /^(host)?$/, 'UTS');
  check('userns', /^(host)?$/, 'USER');
  check('cgroupns', /^(host|private)?$/, 'CGROUP');
}

function parseRestart(value: string): { readonly Name: string; readonly MaximumRetryCount: number } {
  const [Name = '', count, ...more] = value.split(':');
  if (Name === '' && count !== undefined)
    throw new CommandError('invalid restart policy format: no policy provided before colon');
  if (more.length > 0 || (count !== undefined && !/^[+-]?\d+$/.test(count))) {
    throw new CommandError('invalid restart policy format: maximum retry count must be an integer');
  }
  return { Name: Name || 'no', MaximumRetryCount: Number(count ?? 0) };
}

function parseUlimit(value: string): Fields {
  const [Name = '', limits = ''] = value.split('=');
  const [Soft = 0, Hard] = limits.split(':').map(Number);
  return { Name, Soft, Hard: Hard ?? Soft };
}

function weightsOf(flags: FlagValues): readonly Fields[] {
  return flags.list('blkio-weight-device').map((value) => {
    const [Path, weight] = value.split(':');
    return { Path, Weight: Number(weight) };
  });
}

function storageOptions(flags: FlagValues): Fields {
  if (!flags.has('storage-opt')) return {};
  const values = flags.list('storage-opt');
  if (values.some((value) => !value.includes('='))) throw new CommandError('invalid storage option');
  return { StorageOpt: keyValues(values) };
}

function securityOptions(flags: FlagValues): Fields {
  if (!flags.has('security-opt')) return {};
  const { options, unconfinedPaths } = parseSecurity(flags.list('security-opt'));
  return { SecurityOpt: options, ...(unconfinedPaths ? { MaskedPaths: [], ReadonlyPaths: [] } : {}) };
}

function tmpfsOf(values: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    values.map((value) => {
      const colon = value.indexOf(':');
      return colon < 0 ? [value, ''] : [value.slice(0, colon), value.slice(colon + 1)];
    }),
  );
}

function extraHost(value: string): string {
  return value.replace(/^([^:=]+)=/, '$1:').replace(/:\[(.*)\]$/, ':$1');
}

type Names = Readonly<Record<string, string>>;

function chosen(flags: FlagValues, names: Names, read: (name: string) => unknown): Fields {
  const given = Object.entries(names).filter(([, name]) => flags.has(name));
  return Object.fromEntries(given.map(([field, name]) => [field, read(name)]));
}

function texts(flags: FlagValues, names: Names): Fields {
  return chosen(flags, names, (name) => flags.string(name));
}

function lists(flags: FlagValues, names: Names): Fields {
  return chosen(flags, names, (name) => flags.list(name));
}

function switches(flags: FlagValues, names: Names): Fields {
  return chosen(flags, names, (name) => flags.bool(name));
}

function numbers(flags: FlagValues, names: Names): Fields {
  return chosen(flags, names, (name) => flags.number(name));
}

function maps(flags: FlagValues, names: Names): Fields {
  return chosen(flags, names, (name) => keyValues(flags.list(name)));
}

function sizes(flags: FlagValues, names: Names): Fields {
  return chosen(flags, names, (name) => (flags.string(name) === '-1' ? -1 : parseByteSize(flags.string(name))));
}
