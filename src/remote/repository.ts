import { createHash } from 'node:crypto';
import { EngineError, isErrorCode, kindOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { collect, type ByteSource } from '../base/streams.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { algorithmOf, digestOf, tryParseDigest, type Digest } from '../formats/oci/digest.ts';
import { detectMediaType, manifestLimitBytes, parseJsonObject } from '../formats/oci/manifest.ts';
import { isIndexType, isManifestType, mediaTypes } from '../formats/oci/media-types.ts';
import { formatFamiliar, familiarName, type Reference } from '../formats/oci/reference.ts';
import type { Cancellable, PushOutcome, Source, Target } from '../graph/graph.ts';
import { downloadBlob } from './blob-download.ts';
import { uploadBlob } from './blob-upload.ts';
import { ConnectionError } from './connection-error.ts';
import { RegistryError } from './registry-error.ts';
import type { RegistryResponse, RegistrySession } from './session.ts';

const acceptManifests = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
  '*/*',
].join(', ');

/** What a repository needs to be opened. */
export interface RepositoryOptions {
  /** Its tag and digest are not looked at. */
  readonly reference: Reference;
  /** Where content is read, in the order to try; the last is the registry itself. */
  readonly sources: readonly RegistrySession[];
  /** Where content is written. */
  readonly registry: RegistrySession;
  readonly log: Logger;
  /** Repositories of the same registry that may have a blob already, to be mounted from. */
  readonly mountFrom?: ((digest: Digest) => readonly string[]) | undefined;
}

/** A repository at a registry, as both ends of `copyGraph`. */
export class Repository implements Source, Target {
  readonly reference: Reference;
  readonly #sources: readonly RegistrySession[];
  readonly #registry: RegistrySession;
  readonly #log: Logger;
  readonly #mountFrom: (digest: Digest) => readonly string[];
  /** Bytes of manifests seen here: what is pushed is tagged next, what is resolved is fetched next. */
  readonly #manifests = new Map<Digest, Buffer>();
  #preferred: RegistrySession | undefined;

  constructor(options: RepositoryOptions) {
    this.reference = options.reference;
    this.#sources = options.sources;
    this.#registry = options.registry;
    this.#log = options.log;
    this.#mountFrom = options.mountFrom ?? ((): readonly string[] => []);
  }

  get #path(): string {
    return `v2/${this.reference.repository}`;
  }

  get #pullScopes(): readonly string[] {
    return [`repository:${this.reference.repository}:pull`];
  }

  get #pushScopes(): readonly string[] {
    return [`repository:${this.reference.repository}:pull,push`];
  }

  /**
   * Turns a tag or digest into a descriptor.
   *
   * @throws {RegistryError} with docker's text for images that are not there or not to be had.
   */
  async resolve(tagOrDigest: string, options: Cancellable = {}): Promise<Descriptor> {
    const digest = tryParseDigest(tagOrDigest);
    const named: Reference = {
      registry: this.reference.registry,
      repository: this.reference.repository,
      ...(digest === undefined ? { tag: tagOrDigest } : { digest }),
    };
    try {
      return await this.#fromSources((session) => this.#resolveAt(session, tagOrDigest, digest, options.signal));
    } catch (error) {
      throw pullError(error, named);
    }
  }

  async #resolveAt(
    session: RegistrySession,
    tagOrDigest: string,
    digest: Digest | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Descriptor> {
    const request = {
      path: `${this.#path}/manifests/${tagOrDigest}`,
      headers: { accept: acceptManifests },
      scopes: this.#pullScopes,
      signal,
    };
    // A refused HEAD says nothing of its reason; the GET that follows does.
    const head = await session.send({ ...request, method: 'HEAD', expect: [400, 401, 403, 404, 405] });
    head.discard();
    const told = head.status === 200 ? descriptorFromHeaders(head, digest) : undefined;
    if (told) return told;
    const response = await session.send({ ...request, method: 'GET' });
    const content = await collect(response.body, manifestLimitBytes, `manifest ${tagOrDigest}`);
    const actual = hashAs(content, digest);
    if (digest !== undefined && digest !== actual) {
      throw new EngineError('dataLoss', `manifest ${digest}: unexpected digest ${actual}`);
    }
    const mediaType =
      typeOf(response) ??
      detectMediaType(parseJsonObject(content, `manifest ${tagOrDigest}`)) ??
      mediaTypes.ociManifest;
    this.#manifests.set(actual, content);
    return { mediaType: checkedType(mediaType, tagOrDigest), digest: actual, size: content.length };
  }

  async fetch(descriptor: Descriptor, options: Cancellable & { readonly offset?: number } = {}): Promise<ByteSource> {
    const offset = options.offset ?? 0;
    const { signal } = options;
    if (!isDocument(descriptor)) {
      const path = `${this.#path}/blobs/${descriptor.digest}`;
      return this.#fromSources((session) =>
        downloadBlob(session, { path, scopes: this.#pullScopes, descriptor, offset, signal }),
      );
    }
    const content =
      this.#manifests.get(descriptor.digest) ??
      (await this.#fromSources((session) => this.#fetchManifest(session, descriptor, signal)));
    return oneChunk(content.subarray(offset));
  }

  async #fetchManifest(
    session: RegistrySession,
    descriptor: Descriptor,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    const { digest, mediaType } = descriptor;
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await session.send({
          method: 'GET',
          path: `${this.#path}/manifests/${digest}`,
          headers: { accept: `${mediaType}, */*` },
          scopes: this.#pullScopes,
          signal,
        });
        return await collect(response.body, manifestLimitBytes, `manifest ${digest}`);
      } catch (error) {
        if (attempt >= session.attempts || !(error instanceof ConnectionError) || !session.isTransient(error))
          throw error;
        await session.pause(attempt, error, signal);
      }
    }
  }

  /** Tries one source after the other, beginning with the one that answered last. */
  async #fromSources<T>(read: (session: RegistrySession) => Promise<T>): Promise<T> {
    const preferred = this.#preferred;
    const order = preferred ? [preferred, ...this.#sources.filter((session) => session !== preferred)] : this.#sources;
    let refused: unknown;
    for (const [index, session] of order.entries()) {
      try {
        const result = await read(session);
        this.#preferred = session;
        return result;
      } catch (error) {
        if (kindOf(error) === 'cancelled' || isErrorCode(error, 'ABORT_ERR')) throw error;
        const isLast = index === order.length - 1;
        // A mirror that says no tells more than a registry that cannot be reached.
        if (isLast) throw error instanceof ConnectionError && refused !== undefined ? refused : error;
        if (error instanceof RegistryError) refused ??= error;
        this.#log.info({ host: session.endpoint.host, error: String(error) }, 'registry mirror passed over');
      }
    }
    throw new EngineError('internal', 'a repository needs a source');
  }

  async has(descriptor: Descriptor, options: Cancellable = {}): Promise<boolean> {
    const kind = isDocument(descriptor) ? 'manifests' : 'blobs';
    const response = await this.#registry.send({
      method: 'HEAD',
      path: `${this.#path}/${kind}/${descriptor.digest}`,
      headers: kind === 'manifests' ? { accept: `${descriptor.mediaType}, */*` } : {},
      scopes: this.#pushScopes,
      expect: [404],
      signal: options.signal,
    });
    response.discard();
    return response.status === 200;
  }

  async push(
    descriptor: Descriptor,
    open: (offset: number) => Promise<ByteSource>,
    options: Cancellable & { readonly onBytes?: (totalBytes: number) => void } = {},
  ): Promise<PushOutcome> {
    const { signal, onBytes } = options;
    if (!isDocument(descriptor)) {
      const mountFrom = this.#mountFrom(descriptor.digest)
        .filter((repository) => repository !== this.reference.repository)
        .map((repository) => ({ repository, scope: `repository:${repository}:pull` }));
      const path = `${this.#path}/blobs/uploads/`;
      return uploadBlob(this.#registry, {
        path,
        scopes: this.#pushScopes,
        descriptor,
        open,
        mountFrom,
        onBytes,
        signal,
      });
    }
    const content = await collect(await open(0), manifestLimitBytes, `manifest ${descriptor.digest}`);
    const actual = hashAs(content, descriptor.digest);
    if (actual !== descriptor.digest) {
      throw new EngineError('failedPrecondition', `manifest ${descriptor.digest}: unexpected digest ${actual}`);
    }
    await this.#putManifest(descriptor, content, descriptor.digest, signal);
    this.#manifests.set(descriptor.digest, content);
    onBytes?.(content.length);
    return { kind: 'pushed' };
  }

  async tag(descriptor: Descriptor, tag: string, options: Cancellable = {}): Promise<void> {
    const content =
      this.#manifests.get(descriptor.digest) ?? (await this.#fetchManifest(this.#registry, descriptor, options.signal));
    const actual = hashAs(content, descriptor.digest);
    if (actual !== descriptor.digest) {
      throw new EngineError('dataLoss', `manifest ${descriptor.digest}: unexpected digest ${actual}`);
    }
    await this.#putManifest(descriptor, content, tag, options.signal);
  }

  async #putManifest(
    descriptor: Descriptor,
    content: Buffer,
    tagOrDigest: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const response = await this.#registry.send({
      method: 'PUT',
      path: `${this.#path}/manifests/${tagOrDigest}`,
      headers: { 'content-type': descriptor.mediaType },
      body: { sizeBytes: content.length, open: () => Promise.resolve(oneChunk(content)) },
      scopes: this.#pushScopes,
      signal,
    });
    response.discard();
  }
}

function isDocument(descriptor: Descriptor): boolean {
  return isManifestType(descriptor.mediaType) || isIndexType(descriptor.mediaType);
}

async function* oneChunk(content: Buffer): ByteSource {
  if (content.length > 0) yield content;
}

function hashAs(content: Buffer, expected: Digest | undefined): Digest {
  if (expected === undefined || algorithmOf(expected) === 'sha256') return digestOf(content);
  const algorithm = algorithmOf(expected);
  return `${algorithm}:${createHash(algorithm).update(content).digest('hex')}` as Digest;
}

function typeOf(response: RegistryResponse): string | undefined {
  const type = response.headers['content-type']?.split(';', 1)[0]?.trim();
  return type !== undefined && (isManifestType(type) || isIndexType(type) || isSchema1(type)) ? type : undefined;
}

/** Returns what a HEAD told, if it told all that a descriptor needs. Nothing of it is trusted: content is checked when fetched. */
function descriptorFromHeaders(response: RegistryResponse, expected: Digest | undefined): Descriptor | undefined {
  const mediaType = typeOf(response);
  const digest = expected ?? tryParseDigest(String(response.headers['docker-content-digest'] ?? ''));
  const size = Number(response.headers['content-length'] ?? NaN);
  if (mediaType === undefined || digest === undefined || !Number.isSafeInteger(size) || size <= 0) return undefined;
  return { mediaType: checkedType(mediaType, digest), digest, size };
}

function isSchema1(mediaType: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)$/.test(mediaType);
}

function checkedType(mediaType: string, subject: string): string {
  if (isSchema1(mediaType)) {
    throw new EngineError(
      'invalidArgument',
      `manifest ${subject}: Docker image manifest version 2, schema 1 is not supported: push the image again with a newer client`,
    );
  }
  return mediaType;
}

/** Puts a refusal into docker's words. */
function pullError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  const { status, errors, host } = error;
  const name = familiarName(reference);
  const say = (message: string): RegistryError =>
    new RegistryError(message, { status, errors, host, kind: error.kind }, { cause: error });
  if (error.has('DENIED') || error.has('UNAUTHORIZED') || status === 401 || status === 403) {
    return say(
      `pull access denied for ${name}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
    );
  }
  if (error.has('NAME_UNKNOWN')) return say(`repository ${name} not found: ${error.message}`);
  if (status === 404) {
    const why = error.has('MANIFEST_UNKNOWN') ? error.message : 'manifest unknown: manifest unknown';
    return say(`manifest for ${formatFamiliar(reference)} not found: ${why}`);
  }
  return error;
}
