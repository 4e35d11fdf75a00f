import { EngineError, messageOf } from '../../base/errors.ts';
import { listProcesses, resizeContainer } from '../../container/streams.ts';
import { checkName } from '../../container/names.ts';
import { renameContainer } from '../../container/containers.ts';
import { createContainer } from '../../container/create.ts';
import {
  killContainer,
  pauseContainer,
  removeContainer,
  removeStopped,
  startOnRequest,
  stopContainer,
} from '../../container/end.ts';
import type { ContainerInstance, WaitCondition } from '../../container/instance.ts';
import { isRunning } from '../../container/lifecycle.ts';
import { startContainer } from '../../container/start.ts';
import { publishContainerEvent, type ContainerContext } from '../../container/context.ts';
import { parseContainerConfig } from '../../formats/engine-api/container-config.ts';
import { parseHostConfig } from '../../formats/engine-api/host-config.ts';
import { checkMacAddress, parseNetworkingConfig } from '../../formats/engine-api/networking-config.ts';
import { platformMatches } from '../../formats/oci/platform.ts';
import { readConfig } from '../../image/context.ts';
import { containerFilters, selectContainers } from '../convert/container-filters.ts';
import { inspectContainer, summarizeContainer } from '../convert/container.ts';
import { queryFilters, queryFlag, queryInteger, type ApiReply, type ApiRequest, type Route } from '../route.ts';
import { driverName, type EngineServices } from '../../engine/services.ts';
import { parseTime } from '../times.ts';
import { platformFrom } from './images.ts';
import { attach } from './attach.ts';
import { streamLogs } from './logs.ts';

/** Routes about containers; those of logs and execs stand in files of their own. */
export function containerRoutes(services: EngineServices): readonly Route[] {
  const context = services.containers;
  const find = ({ params }: ApiRequest): ContainerInstance => context.registry.get(params['id'] ?? '');
  const findToKill = (request: ApiRequest): ContainerInstance => {
    const instance = context.registry.find(named(request));
    if (instance) return instance;
    const name = named(request);
    throw new EngineError('notFound', `cannot kill container: ${name}: No such container: ${name}`);
  };
  const named = ({ params }: ApiRequest): string => params['id'] ?? '';
  const about =
    (answer: ContainerHandler): Route['handler'] =>
    (request, reply) =>
      answer(services, find(request), request, reply);
  /** A verb that answers with a status only. */
  const verb = (name: string, act: (request: ApiRequest) => Promise<void>, status = 204): Route => ({
    method: 'POST',
    path: `/containers/{id}/${name}`,
    handler: async (request, reply) => {
      await act(request);
      reply.empty(status);
    },
  });
  return [
    { method: 'GET', path: '/containers/json', handler: (request, reply) => listContainers(services, request, reply) },
    { method: 'POST', path: '/containers/create', handler: (request, reply) => create(services, request, reply) },
    { method: 'POST', path: '/containers/prune', handler: (request, reply) => prune(services, request, reply) },
    { method: 'GET', path: '/containers/{id}/json', handler: about(inspect) },
    { method: 'GET', path: '/containers/{id}/top', handler: about(top) },
    { method: 'GET', path: '/containers/{id}/logs', handler: about(streamLogs) },
    { method: 'GET', path: '/containers/{id}/changes', handler: about(changes) },
    { method: 'POST', path: '/containers/{id}/attach', handler: about(attach) },
    { method: 'POST', path: '/containers/{id}/wait', handler: (request, reply) => wait(find(request), request, reply) },
    { method: 'POST', path: '/containers/{id}/rename', handler: about(rename) },
    verb('start', (request) => startOnRequest(context, find(request))),
    verb('stop', (request) => stopContainer(context, find(request), stopOptions(request))),
    verb('restart', (request) => restart(context, find(request), request)),
    verb('kill', (request) =>
      killContainer(context, findToKill(request), request.query.get('signal') ?? '', named(request)),
    ),
    verb('pause', (request) => pauseContainer(context, find(request), 'paused')),
    verb('unpause', (request) => pauseContainer(context, find(request), 'unpaused')),
    verb('resize', (request) => resizeContainer(context, find(request), terminalSize(request)), 200),
    {
      method: 'DELETE',
      path: '/containers/{id}',
      handler: async (request, reply) => {
        if (queryFlag(request.query, 'link')) {
          throw new EngineError('notImplemented', 'removing a link: links are not served by this engine');
        }
        const options = { force: queryFlag(request.query, 'force'), reference: named(request) };
        await removeContainer(context, find(request), options);
        reply.empty(204);
      },
    },
  ];
}

type ContainerHandler = (
  services: EngineServices,
  instance: ContainerInstance,
  request: ApiRequest,
  reply: ApiReply,
) => Promise<void>;

async function restart(context: ContainerContext, instance: ContainerInstance, request: ApiRequest): Promise<void> {
  if (isRunning(instance.record.state)) await stopContainer(context, instance, stopOptions(request));
  await instance.queue.run(() => startContainer(context, instance));
  publishContainerEvent(context, 'restart', instance.record);
}

/** Reads `h` and `w`. @throws {EngineError} invalidArgument in docker's words */
export function terminalSize({ query }: ApiRequest): { rows: number; columns: number } {
  const read = (name: string, what: string): number => {
    const text = query.get(name) ?? '';
    if (/^\d{1,5}$/.test(text)) return Number(text);
    throw new EngineError('invalidArgument', `invalid resize ${what} ${JSON.stringify(text)}: invalid syntax`);
  };
  return { rows: read('h', 'height'), columns: read('w', 'width') };
}

function stopOptions({ params, query }: ApiRequest): { reference: string; timeoutSeconds?: number; signal?: string } {
  const timeoutSeconds = queryInteger(query, 't');
  const signal = query.get('signal') ?? '';
  return {
    reference: params['id'] ?? '',
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(signal === '' ? {} : { signal }),
  };
}

async function listContainers(
  services: EngineServices,
  { query, version }: ApiRequest,
  reply: ApiReply,
): Promise<void> {
  const filters = queryFilters(query, containerFilters);
  const options = { all: queryFlag(query, 'all'), limit: queryInteger(query, 'limit') ?? 0 };
  const chosen = selectContainers(services.containers.registry, services.images.store, filters, options);
  const withSizes = queryFlag(query, 'size');
  const now = services.clock.now();
  const documents = await Promise.all(
    chosen.map(async ({ record }) => {
      const sizes = withSizes ? await containerSizes(services, record.id, record.imageDigest) : undefined;
      const imageName = shownImage(services, record.config.Image, record.imageDigest);
      return summarizeContainer(record, { version, now, imageName, ...(sizes ? { sizes } : {}) });
    }),
  );
  reply.json(200, documents);
}

/** The name a container was made with, as long as it still means the same image; else the image's id. */
function shownImage({ images }: EngineServices, name: string, digest: string): string {
  try {
    return images.store.resolve(name).image.descriptor.digest === digest ? name : digest;
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'notFound') return digest;
    throw error;
  }
}

async function containerSizes(
  services: EngineServices,
  id: string,
  image: string,
): Promise<{ writableBytes: number; rootBytes: number }> {
  const writableBytes = await services.containers.snapshotter.usageBytes(id);
  const record = services.images.store.list().find(({ descriptor }) => descriptor.digest === image);
  return { writableBytes, rootBytes: writableBytes + (record?.unpackedSizeBytes ?? 0) };
}

async function create(services: EngineServices, request: ApiRequest, reply: ApiReply): Promise<void> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined && Number(length ?? 0) === 0)
    throw new EngineError('invalidArgument', 'invalid JSON: got EOF while reading request body');
  const body = await request.body();
  if (Object.keys(body).length === 0)
    throw new EngineError('invalidArgument', 'config cannot be empty in order to create a container');
  const networking = parseNetworkingConfig(body['NetworkingConfig']);
  const asked = parseContainerConfig(body);
  const macAddress = networking.macAddress ?? asked.MacAddress;
  const config = macAddress === undefined ? asked : { ...asked, MacAddress: checkMacAddress(macAddress) };
  const hostConfig = parseHostConfig(body['HostConfig']);
  if (config.Image === '') throw new EngineError('invalidArgument', 'no image specified');
  const { image } = services.images.store.resolve(config.Image);
  const platformText = request.query.get('platform');
  if (platformText !== null && platformText !== '' && !platformMatches(platformFrom(platformText), image.platform)) {
    throw new EngineError(
      'notFound',
      `image with reference ${config.Image} was found but its platform does not match the specified platform: wanted ${platformText}`,
    );
  }
  const imageConfig = await readConfig(services.images, image.configDigest);
  const name = request.query.get('name') ?? '';
  const instance = await createContainer(services.containers, {
    ...(name === '' ? {} : { name }),
    config,
    hostConfig,
    image: {
      digest: image.descriptor.digest,
      manifest: image.manifest,
      platform: image.platform,
      config: imageConfig.config,
      diffIds: image.diffIds,
    },
  });
  reply.json(201, { Id: instance.record.id, Warnings: [] });
}

async function inspect(
  services: EngineServices,
  instance: ContainerInstance,
  request: ApiRequest,
  reply: ApiReply,
): Promise<void> {
  const { dataDirectory } = services.containers;
  const { id, imageDigest } = instance.record;
  const sizes = queryFlag(request.query, 'size') ? await containerSizes(services, id, imageDigest) : undefined;
  const around = {
    version: request.version,
    dataDirectory,
    driver: driverName,
    logPath: `${dataDirectory}/${id}/${id}-json.log`,
    ...(sizes ? { sizes } : {}),
  };
  reply.json(200, inspectContainer(instance, around));
}

function checkNewName(text: string): string {
  try {
    return checkName(text.startsWith('/') ? text : `/${text}`);
  } catch (error) {
    throw new EngineError('invalidArgument', `Error when allocating new name: ${messageOf(error)}`, { cause: error });
  }
}

async function rename(
  services: EngineServices,
  instance: ContainerInstance,
  { query }: ApiRequest,
  reply: ApiReply,
): Promise<void> {
  const text = query.get('name') ?? '';
  if (text === '') throw new EngineError('invalidArgument', 'Neither old nor new names may be empty');
  const name = checkNewName(text);
  if (name === instance.record.name) {
    throw new EngineError('invalidArgument', 'Renaming a container with the same name as its current name');
  }
  await renameContainer(services.containers, instance, name);
  reply.empty(204);
}

async function prune(services: EngineServices, { query }: ApiRequest, reply: ApiReply): Promise<void> {
  const filters = queryFilters(query, ['label', 'label!', 'until']);
  const until = filters.get('until')?.map((text) => parseTime(text, services.clock.now()) ?? 0n);
  const deleted: string[] = [];
  let SpaceReclaimed = 0;
  for (const instance of services.containers.registry.list()) {
    const { id, created, config, state } = instance.record;
    const labelled = (wanted: string): boolean => {
      const [key = '', ...rest] = wanted.split('=');
      return rest.length === 0 ? Object.hasOwn(config.Labels, key) : config.Labels[key] === rest.join('=');
    };
    const old = until?.every((limit) => BigInt(Date.parse(created)) * 1_000_000n < limit) ?? true;
    const chosen = (filters.get('label') ?? []).every(labelled) && !(filters.get('label!') ?? []).some(labelled);
    if (isRunning(state) || state.status === 'restarting' || !old || !chosen) continue;
    const bytes = await services.containers.snapshotter.usageBytes(id);
    await instance.queue.run(() => removeStopped(services.containers, instance));
    SpaceReclaimed += bytes;
    deleted.push(id);
  }
  services.events.publish('container', 'prune', '', { reclaimed: String(SpaceReclaimed) });
  reply.json(200, { ContainersDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed });
}

async function top(
  services: EngineServices,
  instance: ContainerInstance,
  { query }: ApiRequest,
  reply: ApiReply,
): Promise<void> {
  const format = query.get('ps_args') ?? '-ef';
  if (format !== '' && format !== '-ef') {
    throw new EngineError(
      'notImplemented',
      `ps arguments ${JSON.stringify(format)}: only -ef is served by this engine`,
    );
  }
  const lines = await listProcesses(services.containers, instance);
  const clock = (date: Date): string =>
    `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
  const duration = (seconds: number): string =>
    [seconds / 3600, (seconds / 60) % 60, seconds % 60]
      .map((part) => String(Math.floor(part)).padStart(2, '0'))
      .join(':');
  reply.json(200, {
    Processes: lines.map((line) => [
      line.user,
      String(line.pid),
      String(line.parentPid),
      String(line.processorPercent),
      clock(line.startedAt),
      line.terminal,
      duration(line.processorSeconds),
      line.command,
    ]),
    Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'],
  });
}

const changeKinds = { modified: 0, added: 1, deleted: 2 } as const;

async function changes(
  services: EngineServices,
  instance: ContainerInstance,
  { signal }: ApiRequest,
  reply: ApiReply,
): Promise<void> {
  const found = await services.containers.snapshotter.changes(instance.record.id, { signal });
  reply.json(200, found.length === 0 ? null : found.map(({ path, kind }) => ({ Path: path, Kind: changeKinds[kind] })));
}

async function wait(instance: ContainerInstance, { query, signal }: ApiRequest, reply: ApiReply): Promise<void> {
  const condition = query.get('condition') ?? '';
  if (!['', 'not-running', 'next-exit', 'removed'].includes(condition)) {
    throw new EngineError('invalidArgument', `invalid condition: ${JSON.stringify(condition)}`);
  }
  const ended = instance.wait(condition === '' ? 'not-running' : (condition as WaitCondition));
  // The client starts the container only once it knows that somebody waits.
  const response = reply.raw(200, { 'Content-Type': 'application/json' });
  const gone = new Promise<undefined>((resolve) =>
    signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  );
  const result = await Promise.race([ended, gone]);
  if (!result) return;
  response.end(`${JSON.stringify({ StatusCode: result.exitCode })}\n`);
}
