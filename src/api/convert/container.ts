import type { ContainerPort } from '../../container/port-requests.ts';
import { parseContainerPort } from '../../container/port-requests.ts';
import type { ContainerInstance } from '../../container/instance.ts';
import { isRunning, type ContainerState } from '../../container/lifecycle.ts';
import type { ContainerMount, ContainerRecord } from '../../container/record.ts';
import type { PublishedPort } from '../../network/container-network.ts';
import { atLeast, type ApiVersion } from '../route.ts';
import { elapsedText } from './elapsed.ts';

const never = '0001-01-01T00:00:00Z';

/** What the inspection of a container needs besides its record. */
export interface InspectSurroundings {
  readonly version: ApiVersion;
  readonly dataDirectory: string;
  readonly driver: string;
  readonly logPath: string;
  readonly sizes?: { readonly writableBytes: number; readonly rootBytes: number };
}

/** Returns a container as `GET /containers/{id}/json` shows it (ContainerInspectResponse). */
export function inspectContainer(instance: ContainerInstance, around: InspectSurroundings): object {
  const { record, execs } = instance;
  const { id, state } = record;
  const [Path = '', ...Args] = record.args;
  const started = state.startedAt !== undefined;
  const file = (name: string): string => (started ? `${around.dataDirectory}/${id}/${name}` : '');
  return {
    Id: id,
    Created: record.created,
    Path,
    Args,
    State: inspectState(state),
    Image: record.imageDigest,
    ResolvConfPath: file('resolv.conf'),
    HostnamePath: file('hostname'),
    HostsPath: file('hosts'),
    LogPath: started ? around.logPath : '',
    Name: `/${record.name}`,
    RestartCount: state.restartCount,
    Driver: around.driver,
    Platform: record.platform.os || 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execs.size > 0 ? [...execs] : null,
    HostConfig: withoutUndefined(record.hostConfig),
    GraphDriver: { Data: null, Name: around.driver },
    ...(around.sizes ? { SizeRw: around.sizes.writableBytes, SizeRootFs: around.sizes.rootBytes } : {}),
    Mounts: record.mounts.filter(({ type }) => type === 'bind').map(inspectMount),
    Config: record.config,
    NetworkSettings: networkSettings(record),
    ...(atLeast(around.version, 48) ? { ImageManifestDescriptor: record.manifest } : {}),
  };
}

/** Options that were not given are absent, not null, where docker leaves them out. */
function withoutUndefined(hostConfig: ContainerRecord['hostConfig']): object {
  const { Annotations, StorageOpt, Tmpfs, Sysctls, Mounts, Init, ...always } = hostConfig;
  return {
    ...always,
    ...(Annotations ? { Annotations } : {}),
    ...(StorageOpt ? { StorageOpt } : {}),
    ...(Tmpfs ? { Tmpfs } : {}),
    ...(Sysctls ? { Sysctls } : {}),
    ...(Mounts ? { Mounts } : {}),
    ...(Init === null ? {} : { Init }),
  };
}

function inspectState(state: ContainerState): object {
  return {
    Status: state.status,
    Running: isRunning(state) || state.status === 'restarting',
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: state.status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt ?? never,
    FinishedAt: state.finishedAt ?? never,
  };
}

/** Returns a mount as inspections and lists show it. */
export function inspectMount(mount: ContainerMount): object {
  return {
    Type: mount.type,
    Source: mount.source,
    Destination: mount.destination,
    Mode: mount.mode,
    RW: !mount.readOnly,
    Propagation: mount.propagation,
  };
}

function networkSettings(record: ContainerRecord): object {
  const { network, state } = record;
  const endpoint = isRunning(state) ? network?.endpoint : undefined;
  return {
    Bridge: '',
    SandboxID: endpoint ? record.id : '',
    SandboxKey: endpoint ? (network?.namespacePath ?? '') : '',
    Ports: isRunning(state) ? portMap(record) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: endpoint?.endpointId ?? '',
    Gateway: endpoint?.gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: endpoint?.address ?? '',
    IPPrefixLen: endpoint?.prefixLength ?? 0,
    IPv6Gateway: '',
    MacAddress: endpoint?.macAddress ?? '',
    Networks: endpointsByNetwork(record),
  };
}

/** Returns the networks of a container by name. */
export function endpointsByNetwork(record: ContainerRecord): object {
  const endpoint = isRunning(record.state) ? record.network?.endpoint : undefined;
  return {
    [record.hostConfig.NetworkMode]: {
      IPAMConfig: null,
      Links: null,
      Aliases: null,
      MacAddress: endpoint?.macAddress ?? '',
      DriverOpts: null,
      GwPriority: 0,
      NetworkID: record.network?.endpoint?.networkId ?? '',
      EndpointID: endpoint?.endpointId ?? '',
      Gateway: endpoint?.gateway ?? '',
      IPAddress: endpoint?.address ?? '',
      IPPrefixLen: endpoint?.prefixLength ?? 0,
      IPv6Gateway: '',
      GlobalIPv6Address: '',
      GlobalIPv6PrefixLen: 0,
      DNSNames: null,
    },
  };
}

/** Every exposed port with its bindings on the host; null for one that is not published. */
function portMap(record: ContainerRecord): object {
  const map: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const port of Object.keys(record.config.ExposedPorts ?? {})) map[normalPort(port)] = null;
  for (const { containerPort, protocol, hostAddress, hostPort } of record.network?.ports ?? []) {
    const key = `${containerPort}/${protocol}`;
    map[key] = [...(map[key] ?? []), { HostIp: hostAddress, HostPort: String(hostPort) }];
  }
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function normalPort(text: string): string {
  const { containerPort, protocol }: ContainerPort = parseContainerPort(text);
  return `${containerPort}/${protocol}`;
}

/** Returns a container as `GET /containers/json` shows it (ContainerSummary). */
export function summarizeContainer(
  record: ContainerRecord,
  options: {
    readonly version: ApiVersion;
    readonly now: Date;
    readonly imageName: string;
    readonly sizes?: { readonly writableBytes: number; readonly rootBytes: number };
  },
): object {
  const { id, name, args, hostConfig, state } = record;
  return {
    Id: id,
    Names: [`/${name}`],
    Image: options.imageName,
    ImageID: record.imageDigest,
    ...(atLeast(options.version, 48) ? { ImageManifestDescriptor: record.manifest } : {}),
    Command: commandText(args),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: summarizePorts(record),
    ...(options.sizes ? { SizeRw: options.sizes.writableBytes, SizeRootFs: options.sizes.rootBytes } : {}),
    Labels: record.config.Labels,
    State: state.status,
    Status: statusText(state, options.now),
    HostConfig: { NetworkMode: hostConfig.NetworkMode },
    NetworkSettings: { Networks: endpointsByNetwork(record) },
    Mounts: record.mounts.filter(({ type }) => type === 'bind').map(inspectMount),
  };
}

/** Returns the program and its arguments on one line; words with blanks are quoted. */
export function commandText(args: readonly string[]): string {
  return args.map((word) => (word.includes(' ') ? `'${word}'` : word)).join(' ');
}

function summarizePorts(record: ContainerRecord): readonly object[] {
  if (!isRunning(record.state)) return [];
  const published = record.network?.ports ?? [];
  const key = (port: ContainerPort): string => `${port.containerPort}/${port.protocol}`;
  const known = new Set(published.map(key));
  const exposed = Object.keys(record.config.ExposedPorts ?? {})
    .map(parseContainerPort)
    .filter((port) => !known.has(key(port)));
  return [
    ...published.map((port: PublishedPort) => ({
      IP: port.hostAddress,
      PrivatePort: port.containerPort,
      PublicPort: port.hostPort,
      Type: port.protocol,
    })),
    ...exposed.map((port) => ({ PrivatePort: port.containerPort, Type: port.protocol })),
  ];
}

/** Returns docker's sentence about a container's state: `Up 3 minutes`, `Exited (0) 2 hours ago`. */
export function statusText(state: ContainerState, now: Date): string {
  const since = (time: string | undefined): string =>
    elapsedText(now.getTime() - Date.parse(time ?? now.toISOString()));
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${since(state.startedAt)}`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'exited':
      return state.finishedAt === undefined ? 'Created' : `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
  }
}
