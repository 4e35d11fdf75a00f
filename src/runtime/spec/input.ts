import type { SeccompProfile } from './seccomp-profile.ts';

/** Everything a container's runtime configuration depends on; {@link createSpec} turns it into `config.json`. */
export interface SpecInput {
  readonly id: string;
  readonly runtime: 'crun' | 'runc';
  /** Path of the container's cgroup below each hierarchy. */
  readonly cgroupsPath: string;
  readonly hostname?: string;
  readonly domainname?: string;
  /** Path of the mounted root file system. */
  readonly rootfs: string;
  readonly readonlyRootfs?: boolean;
  readonly process: ProcessInput;
  readonly privileged?: boolean;
  readonly capabilities?: CapabilityChange;
  /** What this machine can give at most (see `readAvailableCapabilities`); without it all known. */
  readonly availableCapabilities?: readonly string[];
  /** A mount whose target is one of the default ones replaces it. */
  readonly mounts?: readonly SpecMount[];
  readonly namespaces: NamespacesInput;
  readonly resources?: ResourcesInput;
  readonly sysctls?: Readonly<Record<string, string>>;
  /** `'default'` when absent. Privileged containers have none unless a profile object is given. */
  readonly seccomp?: 'default' | 'unconfined' | SeccompProfile;
  /** Of the running kernel as `uname -r` says; profiles have rules for a lowest version. */
  readonly kernelRelease?: string;
  /** `undefined`: Docker's defaults; empty: none. */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  /** How many CPUs have thermal files to hide. */
  readonly cpuCount?: number;
  readonly devices?: readonly SpecDevice[];
  /** Additional rules in the form of devices.allow: `c 10:200 rwm`. */
  readonly deviceCgroupRules?: readonly string[];
  /** Default 64 MiB. */
  readonly shmSizeBytes?: number;
  /** Path of an init program on the host, put in front of the arguments. */
  readonly init?: string;
  /** Those of the runtime's own name space (`run.oci.`) are dropped: they switch protections off. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What is run, of a container or of an exec. */
export interface ProcessInput {
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Default `/`. */
  readonly cwd?: string;
  readonly user: SpecUser;
  readonly terminal: boolean;
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly oomScoreAdj?: number;
  readonly ulimits?: readonly Ulimit[];
}

/** Numeric identity inside the container; see `resolveUser`. */
export interface SpecUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids?: readonly number[];
  readonly umask?: number;
}

/** Names with or without `CAP_`, in any case; `ALL` is all there are. */
export interface CapabilityChange {
  readonly add: readonly string[];
  readonly drop: readonly string[];
}

/** `nofile` and so on; −1 is unlimited. */
export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** A mount inside the container. */
export type SpecMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly?: boolean;
      /** Whether mounts below the source come along; default true. */
      readonly recursive?: boolean;
      readonly propagation?: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave';
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      /** In addition to, or against, nosuid, nodev, noexec. */
      readonly options?: readonly string[];
    };

/** A namespace of its own, the host's, or another's by path. */
export type NamespaceMode =
  { readonly kind: 'private' } | { readonly kind: 'host' } | { readonly kind: 'path'; readonly path: string };

/** Which namespaces a container has. `none` of the network: its own, with a loopback link only. */
export interface NamespacesInput {
  readonly network:
    { readonly kind: 'none' } | { readonly kind: 'host' } | { readonly kind: 'path'; readonly path: string };
  readonly ipc?: NamespaceMode | { readonly kind: 'none' };
  readonly pid?: NamespaceMode;
  readonly uts?: NamespaceMode;
  /** Default: private on cgroup v2, the host's on v1. */
  readonly cgroup?: NamespaceMode;
}

/** Limits; absent ones are not set. */
export interface ResourcesInput {
  readonly memoryBytes?: number;
  /** Memory and swap together; −1 is unlimited. */
  readonly memorySwapBytes?: number;
  readonly memoryReservationBytes?: number;
  readonly memorySwappiness?: number;
  readonly oomKillDisable?: boolean;
  readonly cpuShares?: number;
  readonly cpuQuotaMicroseconds?: number;
  readonly cpuPeriodMicroseconds?: number;
  readonly cpuRealtimeRuntimeMicroseconds?: number;
  readonly cpuRealtimePeriodMicroseconds?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** −1 or 0 is unlimited. */
  readonly pidsLimit?: number;
  readonly blkioWeight?: number;
  readonly blkioWeightDevices?: readonly DeviceRate[];
  readonly blkioReadBytesPerSecond?: readonly DeviceRate[];
  readonly blkioWriteBytesPerSecond?: readonly DeviceRate[];
  readonly blkioReadOperationsPerSecond?: readonly DeviceRate[];
  readonly blkioWriteOperationsPerSecond?: readonly DeviceRate[];
}

/** A limit for one block device. */
export interface DeviceRate {
  readonly major: number;
  readonly minor: number;
  readonly value: number;
}

/** A host device given to the container; see `describeDevice`. */
export interface SpecDevice {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Of `rwm`. */
  readonly access: string;
}
