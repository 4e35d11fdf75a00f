import { EngineError } from '../../base/errors.ts';
import type { EngineEvent } from '../../events/events.ts';
import { isRunning } from '../../container/lifecycle.ts';
import {
  atLeast,
  formatVersion,
  maximumVersion,
  minimumVersion,
  queryFilters,
  type ApiReply,
  type ApiRequest,
  type ApiVersion,
  type Filters,
  type Route,
} from '../route.ts';
import type { EngineServices } from '../../engine/services.ts';
import { parseTime } from '../times.ts';
import { loginFrom } from '../logins.ts';

/** Routes about the engine itself. */
export function systemRoutes(services: EngineServices): readonly Route[] {
  return [
    { method: 'GET', path: '/_ping', handler: async (_request, reply) => ping(reply, 'OK') },
    { method: 'HEAD', path: '/_ping', handler: async (_request, reply) => ping(reply, '') },
    { method: 'GET', path: '/version', handler: async (_request, reply) => reply.json(200, versionDocument(services)) },
    {
      method: 'GET',
      path: '/info',
      handler: async ({ version }, reply) => reply.json(200, infoDocument(services, version)),
    },
    { method: 'GET', path: '/events', handler: (request, reply) => streamEvents(services, request, reply) },
    { method: 'POST', path: '/auth', handler: (request, reply) => checkLogin(services, request, reply) },
  ];
}

function ping(reply: ApiReply, body: string): void {
  const response = reply.raw(200, {
    'Builder-Version': '1',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: 'inactive',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': String(body === '' ? 0 : body.length),
  });
  response.end(body);
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

function versionDocument({ facts }: EngineServices): object {
  const runtimes = Object.entries(facts.runtimes).map(([Name, path]) => ({
    Name,
    Version: '',
    Details: { Path: path },
  }));
  const engine = {
    ApiVersion: formatVersion(maximumVersion),
    Arch: architectures[process.arch] ?? process.arch,
    BuildTime: '',
    Experimental: 'false',
    GitCommit: facts.gitCommit,
    GoVersion: `node ${process.version}`,
    KernelVersion: facts.kernelVersion,
    MinAPIVersion: formatVersion(minimumVersion),
    Os: 'linux',
  };
  return {
    Platform: { Name: 'Slipway' },
    Components: [{ Name: 'Engine', Version: facts.version, Details: engine }, ...runtimes],
    Version: facts.version,
    ApiVersion: engine.ApiVersion,
    MinAPIVersion: engine.MinAPIVersion,
    GitCommit: engine.GitCommit,
    GoVersion: engine.GoVersion,
    Os: engine.Os,
    Arch: engine.Arch,
    KernelVersion: engine.KernelVersion,
    BuildTime: engine.BuildTime,
  };
}

function infoDocument(services: EngineServices, version: ApiVersion): object {
  const { facts, containers, images, registries, events, clock } = services;
  const states = containers.registry.list().map(({ record }) => record.state);
  const count = (test: (state: (typeof states)[number]) => boolean): number => states.filter(test).length;
  return {
    ID: facts.id,
    Containers: states.length,
    ContainersRunning: count((state) => state.status === 'running'),
    ContainersPaused: count((state) => state.status === 'paused'),
    ContainersStopped: count((state) => !isRunning(state)),
    Images: images.store.list().length,
    Driver: 'overlayfs',
    DriverStatus: [
      ['driver-type', 'io.containerd.snapshotter.v1'],
      ['layer-form', facts.layerForm],
    ],
    Plugins: { Volume: [], Network: ['bridge', 'host', 'null'], Authorization: null, Log: ['json-file', 'none'] },
    MemoryLimit: true,
    SwapLimit: true,
    ...(atLeast(version, 42) ? {} : { KernelMemory: false }),
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    Debug: false,
    NFd: -1,
    ...(facts.cgroupVersion === 1 ? { KernelMemoryTCP: true } : {}),
    OomKillDisable: facts.cgroupVersion === 1,
    NGoroutines: -1,
    SystemTime: clock.now().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(facts.cgroupVersion),
    NEventsListener: events.listenerCount,
    KernelVersion: facts.kernelVersion,
    OperatingSystem: facts.operatingSystem,
    OSVersion: facts.operatingSystemVersion,
    OSType: 'linux',
    Architecture: process.arch === 'x64' ? 'x86_64' : 'aarch64',
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      IndexConfigs: { 'docker.io': { Mirrors: registries.mirrors, Name: 'docker.io', Official: true, Secure: true } },
      InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'],
      Mirrors: registries.mirrors,
    },
    NCPU: facts.processorCount,
    MemTotal: facts.memoryBytes,
    GenericResources: null,
    DockerRootDir: facts.dataRoot,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: facts.hostName,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: facts.version,
    Runtimes: Object.fromEntries(Object.entries(facts.runtimes).map(([name, path]) => [name, { path }])),
    DefaultRuntime: facts.defaultRuntime,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: facts.securityOptions,
    FirewallBackend: { Driver: 'nftables' },
    Warnings: facts.warnings.length > 0 ? facts.warnings : null,
  };
}

const eventFilters = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
];

async function streamEvents({ events, clock }: EngineServices, request: ApiRequest, reply: ApiReply): Promise<void> {
  const filters = queryFilters(request.query, eventFilters);
  const sinceNanoseconds = parseTime(request.query.get('since'), clock.now());
  const untilNanoseconds = parseTime(request.query.get('until'), clock.now());
  const now = BigInt(clock.now().getTime()) * 1_000_000n;
  const lines = reply.stream();
  const wanted = (event: EngineEvent): boolean => matchesFilters(event, filters);
  const write = (event: EngineEvent): Promise<void> => lines.write(eventDocument(event));
  const pending: EngineEvent[] = [];
  let wake: (() => void) | undefined;
  // Subscribed before the replay, so that nothing falls between the two.
  const unsubscribe = events.subscribe((event) => {
    pending.push(event);
    wake?.();
  });
  try {
    if (sinceNanoseconds !== undefined) {
      const window = { sinceNanoseconds, ...(untilNanoseconds === undefined ? {} : { untilNanoseconds }) };
      for (const event of events.replay(window).filter(wanted)) await write(event);
    }
    const over =
      untilNanoseconds === undefined
        ? undefined
        : AbortSignal.timeout(Math.max(0, Number((untilNanoseconds - now) / 1_000_000n)));
    const signal = over ? AbortSignal.any([request.signal, over]) : request.signal;
    while (!signal.aborted) {
      for (const event of pending.splice(0).filter(wanted)) await write(event);
      if (pending.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  } finally {
    unsubscribe();
    lines.end();
  }
}

function eventDocument({ subject, action, id, attributes, timeNanoseconds }: EngineEvent): object {
  const legacy = subject === 'container' || subject === 'image';
  return {
    ...(legacy ? { status: action, id, ...(subject === 'container' ? { from: attributes['image'] ?? '' } : {}) } : {}),
    Type: subject,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Number(timeNanoseconds / 1_000_000_000n),
    timeNano: Number(timeNanoseconds),
  };
}

function matchesFilters(event: EngineEvent, filters: Filters): boolean {
  const { subject, action, id, attributes } = event;
  for (const [name, values] of filters) {
    const matches = values.some((value) => {
      switch (name) {
        case 'event':
          return action === value || action.startsWith(`${value}:`);
        case 'type':
          return subject === value;
        case 'label': {
          const [key = '', ...rest] = value.split('=');
          return rest.length === 0 ? key in attributes : attributes[key] === rest.join('=');
        }
        case 'scope':
          return value === 'local';
        case 'image':
          return (
            (subject === 'image' &&
              (id === value || attributes['name'] === value || attributes['name']?.startsWith(`${value}:`))) ||
            attributes['image'] === value
          );
        default:
          return subject === name && (id.startsWith(value) || attributes['name'] === value);
      }
    });
    if (!matches) return false;
  }
  return true;
}

async function checkLogin({ registries }: EngineServices, request: ApiRequest, reply: ApiReply): Promise<void> {
  const login = loginFrom(await request.body());
  if (login.serverAddress === undefined) throw new EngineError('invalidArgument', 'serveraddress is missing');
  const { status, identityToken } = await registries.login(login, request.signal);
  reply.json(200, { Status: status, IdentityToken: identityToken });
}
