import { EngineError, messageOf } from '../../base/errors.ts';
import { shortId } from '../../base/ids.ts';
import type { Descriptor } from '../../formats/oci/descriptor.ts';
import { hostPlatform, tryParsePlatformText, type Platform } from '../../formats/oci/platform.ts';
import {
  canonicalName,
  formatFamiliar,
  isTag,
  parseReference,
  withDefaultTag,
  type Reference,
} from '../../formats/oci/reference.ts';
import type { CopyProgress } from '../../graph/copy-graph.ts';
import { collectContent } from '../../image/collect.ts';
import { readConfig } from '../../image/context.ts';
import { pullImage, type LayerProgress } from '../../image/pull.ts';
import { pushImage } from '../../image/push.ts';
import type { NamedImage } from '../../image/records.ts';
import { removeImage, type ImageUser } from '../../image/remove.ts';
import { isRunning } from '../../container/lifecycle.ts';
import { imageHistory, imageNames, inspectImage, summarizeImage } from '../convert/image.ts';
import { selectImages } from '../convert/image-filters.ts';
import { pullLine, pushLine } from '../convert/progress.ts';
import { loginFromHeader } from '../logins.ts';
import {
  queryFilters,
  queryFlag,
  queryInteger,
  type ApiReply,
  type ApiRequest,
  type LineStream,
  type Route,
} from '../route.ts';
import { driverName, type EngineServices } from '../../engine/services.ts';

/** Routes about images. */
export function imageRoutes(services: EngineServices): readonly Route[] {
  return [
    { method: 'GET', path: '/images/json', handler: async (request, reply) => listImages(services, request, reply) },
    { method: 'GET', path: '/images/search', handler: (request, reply) => search(services, request, reply) },
    { method: 'POST', path: '/images/create', handler: (request, reply) => create(services, request, reply) },
    { method: 'GET', path: '/images/{name...}/json', handler: (request, reply) => inspect(services, request, reply) },
    {
      method: 'GET',
      path: '/images/{name...}/history',
      handler: (request, reply) => history(services, request, reply),
    },
    { method: 'POST', path: '/images/{name...}/tag', handler: (request, reply) => tag(services, request, reply) },
    { method: 'POST', path: '/images/{name...}/push', handler: (request, reply) => push(services, request, reply) },
    { method: 'DELETE', path: '/images/{name...}', handler: (request, reply) => remove(services, request, reply) },
  ];
}

const imageFilters = ['before', 'dangling', 'label', 'label!', 'reference', 'since', 'until'];

function listImages(services: EngineServices, { query, version }: ApiRequest, reply: ApiReply): void {
  const filters = queryFilters(query, imageFilters);
  const users = Map.groupBy(services.containers.registry.list(), ({ record }) => record.imageDigest);
  const chosen = selectImages(services.images.store, filters, services.clock.now());
  const shared = queryFlag(query, 'shared-size') ? sharedSizes(services) : undefined;
  const documents = chosen.map((image) => {
    const containers = users.get(image.descriptor.digest)?.length ?? 0;
    const sharedSizeBytes = shared?.(image);
    return summarizeImage(image, {
      version,
      containers,
      ...(sharedSizeBytes === undefined ? {} : { sharedSizeBytes }),
    });
  });
  reply.json(200, documents);
}

/** How many bytes of an image's layers other images use too; by the share of layers, each counted equally. */
function sharedSizes({ images }: EngineServices): (image: NamedImage) => number {
  const uses = new Map<string, number>();
  for (const image of images.store.list())
    for (const diffId of new Set(image.diffIds)) uses.set(diffId, (uses.get(diffId) ?? 0) + 1);
  return (image) => {
    const shared = image.diffIds.filter((diffId) => (uses.get(diffId) ?? 0) > 1).length;
    return image.diffIds.length === 0 ? 0 : Math.round((image.unpackedSizeBytes * shared) / image.diffIds.length);
  };
}

async function inspect(services: EngineServices, { params, version }: ApiRequest, reply: ApiReply): Promise<void> {
  const { store } = services.images;
  const { image } = store.resolve(params['name'] ?? '');
  const config = await readConfig(services.images, image.configDigest);
  reply.json(200, inspectImage(image, config, { version, driver: driverName, lastTagTime: store.lastTagTime(image) }));
}

async function history({ images }: EngineServices, { params }: ApiRequest, reply: ApiReply): Promise<void> {
  const { image } = images.store.resolve(params['name'] ?? '');
  const config = await readConfig(images, image.configDigest);
  const layers = await Promise.all(image.diffIds.map((diffId) => images.layers.find(diffId)));
  const sizes = layers.map((layer) => layer?.tarSizeBytes ?? 0);
  const ids: { id: string; tags: readonly string[] }[] = [];
  // The steps of an image that was committed on another belong to that one, as far as its record is still here.
  for (let ancestor: NamedImage | undefined = image; ancestor;) {
    ids.push({ id: ancestor.descriptor.digest, tags: imageNames(ancestor).tags });
    ancestor = ancestor.parent === undefined ? undefined : images.store.find(ancestor.parent);
  }
  reply.json(200, imageHistory(image, config.history, sizes, ids));
}

async function tag(services: EngineServices, { params, query }: ApiRequest, reply: ApiReply): Promise<void> {
  const { store } = services.images;
  const reference = targetReference(query.get('repo') ?? '', query.get('tag') ?? '');
  const { image } = store.resolve(params['name'] ?? '');
  await store.tag(image, reference, { verb: 'tag', actor: 'api', time: services.clock.now() });
  publishImage(services, 'tag', image.descriptor, formatFamiliar(reference));
  reply.empty(201);
}

/** Reads where a tag or commit goes. @throws {EngineError} invalidArgument in docker's words */
export function targetReference(repository: string, tagName: string): Reference {
  const reference = parseReference(repository);
  if (reference.digest !== undefined) throw new EngineError('invalidArgument', 'cannot import digest reference');
  if (tagName === '') return withDefaultTag(reference);
  if (!isTag(tagName)) throw new EngineError('invalidArgument', 'invalid tag format');
  return { registry: reference.registry, repository: reference.repository, tag: tagName };
}

function publishImage({ events }: EngineServices, action: string, descriptor: Descriptor, name: string): void {
  events.publish('image', action, descriptor.digest, { name });
}

async function remove(services: EngineServices, { params, query }: ApiRequest, reply: ApiReply): Promise<void> {
  const result = await removeImage(services.images, {
    text: params['name'] ?? '',
    force: queryFlag(query, 'force'),
    users: (image) => usersOf(services, image),
    actor: 'api',
  });
  const { image, untagged, deleted, orphans } = result;
  await collectContent(services.images, services.database, orphans);
  for (const name of untagged) publishImage(services, 'untag', image.descriptor, name);
  if (deleted) publishImage(services, 'delete', image.descriptor, image.descriptor.digest);
  reply.json(200, [
    ...untagged.map((Untagged) => ({ Untagged })),
    ...(deleted ? [{ Deleted: image.descriptor.digest }] : []),
  ]);
}

function usersOf({ containers }: EngineServices, image: NamedImage): readonly ImageUser[] {
  return containers.registry
    .list()
    .filter(({ record }) => record.imageDigest === image.descriptor.digest)
    .map(({ record }) => ({ containerId: record.id, running: isRunning(record.state) }));
}

async function create(services: EngineServices, request: ApiRequest, reply: ApiReply): Promise<void> {
  const { query, signal } = request;
  const from = query.get('fromImage') ?? '';
  if (from === '')
    throw new EngineError('notImplemented', 'importing an image (fromSrc) is not served by this engine yet');
  const reference = pullReference(from, query.get('tag') ?? '');
  const platform = platformFrom(query.get('platform'));
  const source = await services.registries.open(reference, loginFromHeader(request.headers['x-registry-auth']), signal);
  // Found before the answer begins, so that a name that is not there still gets its status.
  const root = await source.resolve(reference.digest ?? reference.tag ?? 'latest', { signal });
  const lines = reply.stream();
  await lines.write({ status: `Pulling from ${reference.repository}`, id: reference.digest ?? reference.tag });
  const writer = new ProgressLines(lines);
  try {
    const { digest, changed } = await pullImage(services.images, {
      reference,
      source: {
        resolve: () => Promise.resolve(root),
        fetch: (descriptor, options) => source.fetch(descriptor, options),
      },
      platform,
      actor: 'api',
      signal,
      onProgress: (progress) => writer.pulled(progress),
    });
    await writer.flushed();
    await lines.write({ status: `Digest: ${digest}` });
    const what = changed ? 'Downloaded newer image' : 'Image is up to date';
    await lines.write({ status: `Status: ${what} for ${formatFamiliar(reference)}` });
    publishImage(services, 'pull', { ...root, digest }, formatFamiliar(reference));
  } catch (error) {
    await writer.flushed();
    await writeError(lines, error);
  } finally {
    lines.end();
  }
}

function pullReference(from: string, tagName: string): Reference {
  const reference = parseReference(from);
  if (tagName === '') return withDefaultTag(reference);
  if (tagName.includes(':')) return parseReference(`${canonicalName(reference)}@${tagName}`);
  if (!isTag(tagName)) throw new EngineError('invalidArgument', 'invalid tag format');
  return { registry: reference.registry, repository: reference.repository, tag: tagName };
}

/** Reads a platform from a query; this machine's by default. @throws {EngineError} invalidArgument */
export function platformFrom(text: string | null): Platform {
  if (text === null || text === '') return hostPlatform();
  const platform = tryParsePlatformText(text);
  if (!platform)
    throw new EngineError(
      'invalidArgument',
      `invalid platform ${JSON.stringify(text)}: expected os/architecture[/variant]`,
    );
  return platform;
}

async function writeError(lines: LineStream, error: unknown): Promise<void> {
  const message = messageOf(error);
  await lines.write({ errorDetail: { message }, error: message });
}

async function push(services: EngineServices, request: ApiRequest, reply: ApiReply): Promise<void> {
  const { query, signal, params } = request;
  const named = parseReference(params['name'] ?? '');
  const tagName = query.get('tag') ?? '';
  const reference =
    tagName === '' ? withDefaultTag(named) : { registry: named.registry, repository: named.repository, tag: tagName };
  const login = loginFromHeader(request.headers['x-registry-auth']);
  const image = services.images.store
    .list()
    .find(({ names }) => names.includes(`${canonicalName(reference)}:${reference.tag ?? ''}`));
  const lines = reply.stream();
  const writer = new ProgressLines(lines);
  try {
    await lines.write({ status: `The push refers to repository [${reference.registry}/${reference.repository}]` });
    if (!image) throw new EngineError('notFound', `tag does not exist: ${formatFamiliar(reference)}`);
    const target = await services.registries.open(reference, login, signal);
    const { descriptor } = await pushImage(services.images, {
      image,
      reference,
      target,
      signal,
      onProgress: (progress) => writer.pushed(progress),
    });
    await writer.flushed();
    await lines.write({
      status: `${reference.tag ?? 'latest'}: digest: ${descriptor.digest} size: ${descriptor.size}`,
    });
    await lines.write({
      progressDetail: {},
      aux: { Tag: reference.tag, Digest: descriptor.digest, Size: descriptor.size },
    });
    publishImage(services, 'push', descriptor, formatFamiliar(reference));
  } catch (error) {
    await writer.flushed();
    await writeError(lines, error);
  } finally {
    lines.end();
  }
}

async function search(services: EngineServices, request: ApiRequest, reply: ApiReply): Promise<void> {
  const { query, signal, headers } = request;
  const term = query.get('term') ?? '';
  if (term === '') throw new EngineError('invalidArgument', "term parameter can't be empty");
  const limit = queryInteger(query, 'limit') ?? 25;
  if (limit < 1 || limit > 100)
    throw new EngineError('invalidArgument', `limit ${limit} is outside the range of [1, 100]`);
  const filters = queryFilters(query, ['is-automated', 'is-official', 'stars']);
  const hits = await services.registries.search(term, limit, loginFromHeader(headers['x-registry-auth']), signal);
  const flag = (name: string): boolean | undefined =>
    filters.get(name)?.[0] === undefined ? undefined : filters.get(name)?.[0] === 'true';
  const stars = Number(filters.get('stars')?.[0] ?? 0);
  const chosen = hits.filter(
    (hit) =>
      hit.stars >= stars &&
      (flag('is-official') === undefined || hit.official === flag('is-official')) &&
      (flag('is-automated') === undefined || hit.automated === flag('is-automated')),
  );
  reply.json(
    200,
    chosen.map(({ name, description, stars: star_count, official: is_official, automated: is_automated }) => ({
      star_count,
      is_official,
      name,
      is_automated,
      description,
    })),
  );
}

/** Writes progress in order, at most ten lines a second for one layer in one phase, never holding up the work it tells of. */
class ProgressLines {
  readonly #lines: LineStream;
  readonly #last = new Map<string, { readonly phase: string; readonly at: number }>();
  #tail: Promise<void> = Promise.resolve();

  constructor(lines: LineStream) {
    this.#lines = lines;
  }

  pulled(progress: LayerProgress): void {
    this.#queue(progress.descriptor, progress.phase, () => pullLine(shortId(progress.descriptor.digest), progress));
  }

  pushed(progress: CopyProgress): void {
    this.#queue(progress.descriptor, progress.phase, () => pushLine(shortId(progress.descriptor.digest), progress));
  }

  #queue(descriptor: Descriptor, phase: string, line: () => object | undefined): void {
    const last = this.#last.get(descriptor.digest);
    const at = performance.now();
    if (last?.phase === phase && at - last.at < 100) return;
    this.#last.set(descriptor.digest, { phase, at });
    const document = line();
    if (document) this.#tail = this.#tail.then(() => this.#lines.write(document));
  }

  async flushed(): Promise<void> {
    await this.#tail;
  }
}
