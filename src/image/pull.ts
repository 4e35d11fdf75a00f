import { EngineError } from '../base/errors.ts';
import { collect } from '../base/streams.ts';
import { configLimitBytes, parseImageConfig, type ImageConfig } from '../formats/oci/config.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { digestOf, type Digest } from '../formats/oci/digest.ts';
import { manifestLimitBytes, parseManifest, type Index, type Manifest } from '../formats/oci/manifest.ts';
import { formatPlatform, platformMatches, type Platform } from '../formats/oci/platform.ts';
import { formatFamiliar, type Reference } from '../formats/oci/reference.ts';
import type { Edge } from '../gc/references.ts';
import { copyGraph, type CopyProgress } from '../graph/copy-graph.ts';
import type { Source } from '../graph/graph.ts';
import type { ImageContext } from './context.ts';
import type { ImageRecord } from './records.ts';

/** How far one layer is. */
export interface LayerProgress {
  readonly descriptor: Descriptor;
  readonly phase: 'waiting' | 'exists' | 'downloading' | 'downloaded' | 'extracting' | 'complete';
  /** Bytes of the blob, downloaded or unpacked. */
  readonly currentBytes: number;
}

/** What to pull, and whom to tell. */
export interface PullRequest {
  readonly reference: Reference;
  readonly source: Source;
  readonly platform: Platform;
  readonly actor: string;
  readonly onProgress?: (progress: LayerProgress) => void;
  readonly signal?: AbortSignal;
}

/** What a pull found. */
export interface PullResult {
  readonly digest: Digest;
  /** Whether the name pointed elsewhere, or nowhere, before. */
  readonly changed: boolean;
}

/**
 * Brings an image here: its blobs, checked, its layers, unpacked while others still arrive, and its name, moved at the end.
 * Durable when it settles; on failure the image is as absent as before, and what has arrived is taken up by the next pull.
 *
 * @throws {EngineError} notFound when there is no such image or none for the platform; what the source throws.
 */
export async function pullImage(context: ImageContext, request: PullRequest): Promise<PullResult> {
  const { reference, source, signal } = request;
  const options = signal ? { signal } : {};
  const root = await source.resolve(reference.digest ?? reference.tag ?? 'latest', options);
  using hold = context.holds.begin();
  const documents = new DocumentCache(source, options);
  const chosen = await chooseManifest(documents, root, request);
  const config = parseImageConfig(
    await documents.read(chosen.manifest.config, configLimitBytes),
    chosen.manifest.config.digest,
  );
  checkLayers(chosen.manifest, config, reference);
  const needs = neededContent(root, chosen, config);
  await hold.keep(...needs);

  const failure = new AbortController();
  const both = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  const present = await presentLayers(context, config);
  const unpacking = new Unpacking(context, chosen.manifest, config, request, both, present);
  try {
    await copyGraph(documents, context.graph, root, {
      select: (_descriptor, document) => (document.kind === 'index' ? [chosen.descriptor] : undefined),
      present: context.graph,
      onProgress: (progress) => unpacking.report(progress),
      onReady: (descriptor) => unpacking.start(descriptor, (error) => failure.abort(error)),
      signal: both,
    });
    await unpacking.finish();
    // Finds links to nothing, and makes now what the first container would have to wait for.
    await context.layers.lowers([context.mountpointsLayer, ...config.diffIds]);
  } catch (error) {
    failure.abort(error);
    await unpacking.settle();
    // The first failure is the cause; what it cancelled only says so.
    throw signal?.aborted ? error : failure.signal.reason instanceof Error ? failure.signal.reason : error;
  }
  return record(context, request, root, chosen, config, needs);
}

async function presentLayers({ layers }: ImageContext, config: ImageConfig): Promise<ReadonlySet<Digest>> {
  const found = await Promise.all(config.diffIds.map((diffId) => layers.find(diffId)));
  return new Set(config.diffIds.filter((_, index) => found[index] !== undefined));
}

interface ChosenManifest {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
}

async function chooseManifest(
  documents: DocumentCache,
  root: Descriptor,
  request: PullRequest,
): Promise<ChosenManifest> {
  const document = await documents.manifest(root);
  if (document.kind === 'manifest') return { descriptor: root, manifest: document };
  const { platform, reference } = request;
  const wanted = document.manifests.find(
    (child) => child.platform !== undefined && platformMatches(platform, child.platform),
  );
  if (!wanted) {
    throw new EngineError(
      'notFound',
      `no matching manifest for ${formatPlatform(platform)} in the manifest list entries: no match for platform in manifest: not found`,
    );
  }
  const manifest = await documents.manifest(wanted);
  if (manifest.kind === 'index')
    throw new EngineError('invalidArgument', `${formatFamiliar(reference)}: nested indexes are not images`);
  return { descriptor: wanted, manifest };
}

function checkLayers(manifest: Manifest, config: ImageConfig, reference: Reference): void {
  if (manifest.layers.length === config.diffIds.length) return;
  throw new EngineError(
    'invalidArgument',
    `${formatFamiliar(reference)}: mismatched image rootfs and manifest layers: ${config.diffIds.length} diffIDs, ${manifest.layers.length} layers`,
  );
}

function neededContent(
  root: Descriptor,
  { descriptor, manifest }: ChosenManifest,
  config: ImageConfig,
): readonly Edge[] {
  const blobs = [root, descriptor, manifest.config, ...manifest.layers].map(({ digest }) => digest);
  return [
    ...[...new Set(blobs)].map((target) => ({ kind: 'blob', target }) as const),
    ...[...new Set(config.diffIds)].map((target) => ({ kind: 'layer', target }) as const),
  ];
}

async function record(
  context: ImageContext,
  request: PullRequest,
  root: Descriptor,
  chosen: ChosenManifest,
  config: ImageConfig,
  needs: readonly Edge[],
): Promise<PullResult> {
  const before = context.store.find(root.digest);
  const { reference, actor } = request;
  const image = await imageRecord(context, root, chosen.descriptor, chosen.manifest, config);
  const named = { reference, verb: 'pull', actor, time: context.clock.now() } as const;
  const known = before?.names.includes(nameOf(reference)) ?? false;
  await context.store.put(image, needs, named);
  return { digest: root.digest, changed: !known };
}

function nameOf({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** Puts together the record of an image whose content is here. */
export async function imageRecord(
  context: ImageContext,
  root: Descriptor,
  manifestDescriptor: Descriptor,
  manifest: Manifest,
  config: ImageConfig,
): Promise<ImageRecord> {
  const layers = await Promise.all(config.diffIds.map((diffId) => context.layers.find(diffId)));
  const blobs = new Map(
    [root, manifestDescriptor, manifest.config, ...manifest.layers].map(({ digest, size }) => [digest, size]),
  );
  const { platform, ...plainManifest } = manifestDescriptor;
  return {
    descriptor: { mediaType: root.mediaType, digest: root.digest, size: root.size },
    manifest: { ...plainManifest, platform: platform ?? config.platform },
    configDigest: manifest.config.digest,
    platform: config.platform,
    created: config.created ?? '',
    diffIds: config.diffIds,
    labels: config.config.Labels ?? {},
    contentSizeBytes: [...blobs.values()].reduce((sum, size) => sum + size, 0),
    unpackedSizeBytes: layers.reduce((sum, layer) => sum + (layer?.usageBytes ?? 0), 0),
  };
}

/** A source whose small documents are fetched and checked once, however often they are read. */
class DocumentCache implements Source {
  readonly #source: Source;
  readonly #options: { readonly signal?: AbortSignal };
  readonly #documents = new Map<Digest, Buffer>();
  readonly resolve: Source['resolve'];

  constructor(source: Source, options: { readonly signal?: AbortSignal }) {
    this.#source = source;
    this.#options = options;
    this.resolve = (reference, resolveOptions) => source.resolve(reference, resolveOptions);
  }

  async read(descriptor: Descriptor, limitBytes: number): Promise<Buffer> {
    const known = this.#documents.get(descriptor.digest);
    if (known) return known;
    if (descriptor.size > limitBytes) {
      throw new EngineError(
        'resourceExhausted',
        `${descriptor.digest}: ${descriptor.size} bytes, allowed are ${limitBytes}`,
      );
    }
    const content = await collect(
      await this.#source.fetch(descriptor, this.#options),
      descriptor.size,
      descriptor.digest,
    );
    if (content.length !== descriptor.size || digestOf(content) !== descriptor.digest) {
      throw new EngineError(
        'dataLoss',
        `${descriptor.digest}: the source sent other content (${content.length} bytes, expected ${descriptor.size})`,
      );
    }
    this.#documents.set(descriptor.digest, content);
    return content;
  }

  async manifest(descriptor: Descriptor): Promise<Manifest | Index> {
    return parseManifest(await this.read(descriptor, manifestLimitBytes), descriptor.mediaType, descriptor.digest);
  }

  async fetch(
    descriptor: Descriptor,
    options: { readonly offset?: number; readonly signal?: AbortSignal } = {},
  ): Promise<AsyncIterable<Uint8Array>> {
    const known = this.#documents.get(descriptor.digest);
    if (!known) return this.#source.fetch(descriptor, options);
    return (async function* () {
      yield known.subarray(options.offset ?? 0);
    })();
  }
}

/** The unpacking that runs beside a transfer: each layer as soon as its blob is there. */
class Unpacking {
  readonly #context: ImageContext;
  readonly #layers: ReadonlyMap<Digest, { readonly descriptor: Descriptor; readonly diffId: Digest }>;
  readonly #request: PullRequest;
  readonly #signal: AbortSignal;
  readonly #present: ReadonlySet<Digest>;
  readonly #running = new Map<Digest, Promise<void>>();

  constructor(
    context: ImageContext,
    manifest: Manifest,
    config: ImageConfig,
    request: PullRequest,
    signal: AbortSignal,
    present: ReadonlySet<Digest>,
  ) {
    this.#present = present;
    this.#context = context;
    this.#request = request;
    this.#signal = signal;
    this.#layers = new Map(
      manifest.layers.flatMap((descriptor, index) => {
        const diffId = config.diffIds[index];
        return diffId === undefined ? [] : [[descriptor.digest, { descriptor, diffId }] as const];
      }),
    );
  }

  #tell(descriptor: Descriptor, phase: LayerProgress['phase'], currentBytes: number): void {
    this.#request.onProgress?.({ descriptor, phase, currentBytes });
  }

  report(progress: CopyProgress): void {
    const { descriptor, phase, currentBytes } = progress;
    const layer = this.#layers.get(descriptor.digest);
    // Of a layer that is here already nothing is told but that, and only when another one is not.
    if (!layer || this.#present.has(layer.diffId)) return;
    if (phase === 'waiting') this.#tell(descriptor, 'waiting', 0);
    else if (phase === 'transferring') this.#tell(descriptor, 'downloading', currentBytes);
    else if (phase === 'done') this.#tell(descriptor, 'downloaded', descriptor.size);
  }

  start(ready: Descriptor, onFailure: (error: unknown) => void): void {
    const layer = this.#layers.get(ready.digest);
    if (!layer || this.#running.has(ready.digest)) return;
    const running = this.#unpack(layer.descriptor, layer.diffId);
    running.catch(onFailure);
    this.#running.set(ready.digest, running);
  }

  async #unpack(descriptor: Descriptor, diffId: Digest): Promise<void> {
    const { layers, content } = this.#context;
    if (await layers.find(diffId)) {
      if (this.#present.size < this.#layers.size) this.#tell(descriptor, 'exists', descriptor.size);
      return;
    }
    this.#tell(descriptor, 'extracting', 0);
    await layers.import(diffId, content.path(descriptor.digest), {
      signal: this.#signal,
      onProgress: (bytes) => this.#tell(descriptor, 'extracting', bytes),
    });
    this.#tell(descriptor, 'complete', descriptor.size);
  }

  async finish(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Waits until nothing runs any more, whatever came of it. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }
}
