import type { JsonObject } from '../oci/descriptor.ts';
import * as field from './fields.ts';

/** One host side of a published port. */
export interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** A mount asked for by `--mount`. */
export interface MountRequest {
  readonly Type: string;
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly BindOptions: JsonObject;
  readonly VolumeOptions: JsonObject;
  readonly TmpfsOptions: JsonObject;
}

/** A device given to a container. */
export interface DeviceMapping {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
}

/** A limit of bytes or operations a second for one block device. */
export interface RateDevice {
  readonly Path: string;
  readonly Rate: number;
}

/** The share of one block device. */
export interface WeightDevice {
  readonly Path: string;
  readonly Weight: number;
}

/** A resource limit of the container's processes. */
export interface Ulimit {
  readonly Name: string;
  readonly Hard: number;
  readonly Soft: number;
}

/** How a container meets its host (Engine API, HostConfig), defaults filled in. */
export interface HostConfig {
  readonly Binds: readonly string[] | null;
  readonly ContainerIDFile: string;
  readonly LogConfig: { readonly Type: string; readonly Config: Readonly<Record<string, string>> | null };
  readonly NetworkMode: string;
  readonly PortBindings: Readonly<Record<string, readonly PortBinding[]>>;
  readonly RestartPolicy: { readonly Name: string; readonly MaximumRetryCount: number };
  readonly AutoRemove: boolean;
  readonly VolumeDriver: string;
  readonly VolumesFrom: readonly string[] | null;
  readonly ConsoleSize: readonly number[];
  readonly Annotations: Readonly<Record<string, string>> | null;
  readonly CapAdd: readonly string[] | null;
  readonly CapDrop: readonly string[] | null;
  readonly CgroupnsMode: string;
  readonly Dns: readonly string[] | null;
  readonly DnsOptions: readonly string[] | null;
  readonly DnsSearch: readonly string[] | null;
  readonly ExtraHosts: readonly string[] | null;
  readonly GroupAdd: readonly string[] | null;
  readonly IpcMode: string;
  readonly Cgroup: string;
  readonly Links: readonly string[] | null;
  readonly OomScoreAdj: number;
  readonly PidMode: string;
  readonly Privileged: boolean;
  readonly PublishAllPorts: boolean;
  readonly ReadonlyRootfs: boolean;
  readonly SecurityOpt: readonly string[] | null;
  readonly StorageOpt: Readonly<Record<string, string>> | null;
  readonly Tmpfs: Readonly<Record<string, string>> | null;
  readonly UTSMode: string;
  readonly UsernsMode: string;
  readonly ShmSize: number;
  readonly Sysctls: Readonly<Record<string, string>> | null;
  readonly Runtime: string;
  readonly Isolation: string;
  readonly CpuShares: number;
  readonly Memory: number;
  readonly NanoCpus: number;
  readonly CgroupParent: string;
  readonly BlkioWeight: number;
  readonly BlkioWeightDevice: readonly WeightDevice[] | null;
  readonly BlkioDeviceReadBps: readonly RateDevice[] | null;
  readonly BlkioDeviceWriteBps: readonly RateDevice[] | null;
  readonly BlkioDeviceReadIOps: readonly RateDevice[] | null;
  readonly BlkioDeviceWriteIOps: readonly RateDevice[] | null;
  readonly CpuPeriod: number;
  readonly CpuQuota: number;
  readonly CpuRealtimePeriod: number;
  readonly CpuRealtimeRuntime: number;
  readonly CpusetCpus: string;
  readonly CpusetMems: string;
  readonly Devices: readonly DeviceMapping[] | null;
  readonly DeviceCgroupRules: readonly string[] | null;
  readonly DeviceRequests: readonly JsonObject[] | null;
  readonly MemoryReservation: number;
  readonly MemorySwap: number;
  readonly MemorySwappiness: number | null;
  readonly OomKillDisable: boolean | null;
  readonly PidsLimit: number | null;
  readonly Ulimits: readonly Ulimit[] | null;
  readonly CpuCount: number;
  readonly CpuPercent: number;
  readonly IOMaximumIOps: number;
  readonly IOMaximumBandwidth: number;
  readonly Mounts: readonly MountRequest[] | null;
  readonly MaskedPaths: readonly string[] | null;
  readonly ReadonlyPaths: readonly string[] | null;
  readonly Init: boolean | null;
}

const masked = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
] as const;
const readOnly = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'] as const;

const rateDevices = field.list((item) => field.readFields(item, { Path: field.text(), Rate: field.integer() }));

/** The fields of a HostConfig in the order in which the daemon shows them. */
const table = {
  Binds: field.strings,
  ContainerIDFile: field.text(),
  LogConfig: (value: unknown, name: string) =>
    field.readFields(field.object(value, name), { Type: field.text(), Config: field.textMap }),
  NetworkMode: field.text(),
  PortBindings: (value: unknown, name: string) => readPortBindings(field.object(value, name)),
  RestartPolicy: (value: unknown, name: string) =>
    field.readFields(field.object(value, name), { Name: field.text(), MaximumRetryCount: field.integer() }),
  AutoRemove: field.flag,
  VolumeDriver: field.text(),
  VolumesFrom: field.strings,
  ConsoleSize: (value: unknown) => (Array.isArray(value) && value.length === 2 ? (value as readonly number[]) : [0, 0]),
  Annotations: field.textMap,
  CapAdd: field.stringOrStrings,
  CapDrop: field.stringOrStrings,
  CgroupnsMode: field.text(),
  Dns: field.strings,
  DnsOptions: field.strings,
  DnsSearch: field.strings,
  ExtraHosts: field.strings,
  GroupAdd: field.strings,
  IpcMode: field.text(),
  Cgroup: field.text(),
  Links: field.strings,
  OomScoreAdj: field.integer(),
  PidMode: field.text(),
  Privileged: field.flag,
  PublishAllPorts: field.flag,
  ReadonlyRootfs: field.flag,
  SecurityOpt: field.strings,
  StorageOpt: field.textMap,
  Tmpfs: field.textMap,
  UTSMode: field.text(),
  UsernsMode: field.text(),
  ShmSize: field.integer(),
  Sysctls: field.textMap,
  Runtime: field.text(),
  Isolation: field.text(),
  CpuShares: field.integer(),
  Memory: field.integer(),
  NanoCpus: field.integer(),
  CgroupParent: field.text(),
  BlkioWeight: field.integer(),
  BlkioWeightDevice: field.list((item) => field.readFields(item, { Path: field.text(), Weight: field.integer() })),
  BlkioDeviceReadBps: rateDevices,
  BlkioDeviceWriteBps: rateDevices,
  BlkioDeviceReadIOps: rateDevices,
  BlkioDeviceWriteIOps: rateDevices,
  CpuPeriod: field.integer(),
  CpuQuota: field.integer(),
  CpuRealtimePeriod: field.integer(),
  CpuRealtimeRuntime: field.integer(),
  CpusetCpus: field.text(),
  CpusetMems: field.text(),
  Devices: field.list((item): DeviceMapping =>
    field.readFields(item, {
      PathOnHost: field.text(),
      PathInContainer: field.text(),
      CgroupPermissions: field.text(),
    }),
  ),
  DeviceCgroupRules: field.strings,
  DeviceRequests: field.list((item) => item),
  MemoryReservation: field.integer(),
  MemorySwap: field.integer(),
  MemorySwappiness: field.optionalInteger,
  OomKillDisable: field.optionalFlag,
  PidsLimit: field.optionalInteger,
  Ulimits: field.list((item) =>
    field.readFields(item, { Name: field.text(), Hard: field.integer(), Soft: field.integer() }),
  ),
  CpuCount: field.integer(),
  CpuPercent: field.integer(),
  IOMaximumIOps: field.integer(),
  IOMaximumBandwidth: field.integer(),
  Mounts: field.list((item): MountRequest =>
    field.readFields(item, {
      Type: field.text(),
      Source: field.text(),
      Target: field.text(),
      ReadOnly: field.flag,
      BindOptions: field.object,
      VolumeOptions: field.object,
      TmpfsOptions: field.object,
    }),
  ),
  MaskedPaths: field.strings,
  ReadonlyPaths: field.strings,
  Init: field.optionalFlag,
} as const;

function readPortBindings(value: JsonObject): Readonly<Record<string, readonly PortBinding[]>> {
  const binding = field.list((item): PortBinding =>
    field.readFields(item, { HostIp: field.text(), HostPort: field.text() }),
  );
  return Object.fromEntries(
    Object.entries(value).map(([port, bindings]) => [port, binding(bindings, 'PortBindings') ?? []]),
  );
}

/** Reads a HostConfig and fills in the daemon's defaults. @throws {EngineError} invalidArgument naming the field */
export function parseHostConfig(value: unknown): HostConfig {
  const read: HostConfig = field.readFields(field.object(value, 'HostConfig'), table);
  return {
    ...read,
    LogConfig: { Type: read.LogConfig.Type || 'json-file', Config: read.LogConfig.Config ?? {} },
    NetworkMode: read.NetworkMode === '' || read.NetworkMode === 'default' ? 'bridge' : read.NetworkMode,
    RestartPolicy: { Name: read.RestartPolicy.Name || 'no', MaximumRetryCount: read.RestartPolicy.MaximumRetryCount },
    IpcMode: read.IpcMode || 'private',
    ShmSize: read.ShmSize === 0 ? 64 << 20 : read.ShmSize,
    OomKillDisable: read.OomKillDisable ?? false,
    MaskedPaths: read.MaskedPaths ?? (read.Privileged ? null : masked),
    ReadonlyPaths: read.ReadonlyPaths ?? (read.Privileged ? null : readOnly),
  };
}
