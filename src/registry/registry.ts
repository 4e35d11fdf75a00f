import { createHash, randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '../base/clock.ts';
import { KeyedQueue } from '../base/concurrency.ts';
import type { ByteSource } from '../base/streams.ts';
import type { BlobHandle, ByteRange, ContentStore, Ingest } from '../content/content-store.ts';
import { DigestMismatchError } from '../content/digest-mismatch-error.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { RegistryMetadata } from './metadata.ts';
import { problem } from './protocol-error.ts';

/** What a {@link Registry} stands on. */
export interface RegistryOptions {
  readonly content: ContentStore;
  readonly metadata: RegistryMetadata;
  readonly clock?: Clock;
}

/** Where an upload is. */
export interface UploadState {
  readonly id: string;
  readonly offset: number;
}

/** A part of an upload as it comes in. */
export interface UploadPart {
  readonly body: ByteSource;
  /** Offset and length that the client claims, from `Content-Range`. */
  readonly range?: { readonly start: number; readonly lengthBytes: number } | undefined;
}

/**
 * Blobs and uploads of a registry: bytes in the content store, what belongs to whom in the metadata. Uploads of one id run
 * one after the other. Manifests are in `manifests.ts`.
 */
export class Registry {
  readonly metadata: RegistryMetadata;
  readonly #content: ContentStore;
  readonly #clock: Clock;
  readonly #uploads = new KeyedQueue();
  /** Offsets of uploads that are being written now. */
  readonly #offsets = new Map<string, number>();

  constructor(options: RegistryOptions) {
    this.metadata = options.metadata;
    this.#content = options.content;
    this.#clock = options.clock ?? systemClock;
  }

  /** Returns the size of a blob of the repository. @throws {ProtocolError} BLOB_UNKNOWN */
  async statBlob(repository: string, digest: Digest): Promise<number> {
    const sizeBytes = await this.metadata.findBlob(repository, digest);
    if (sizeBytes === undefined) throw blobUnknown(digest);
    return sizeBytes;
  }

  /** Opens a blob of the repository, whose link the caller has checked with {@link statBlob}. */
  async openBlob(digest: Digest, range: ByteRange): Promise<BlobHandle> {
    return this.#content.open(digest, range);
  }

  /** @throws {ProtocolError} BLOB_UNKNOWN, DENIED while a manifest needs it. */
  async deleteBlob(repository: string, digest: Digest): Promise<void> {
    if (!(await this.metadata.unlinkBlob(repository, digest))) throw blobUnknown(digest);
  }

  /** Begins an upload. */
  async startUpload(repository: string): Promise<UploadState> {
    const id = randomUUID();
    await this.metadata.createUpload({ id, repository });
    return { id, offset: 0 };
  }

  /** @throws {ProtocolError} BLOB_UPLOAD_UNKNOWN */
  async statUpload(repository: string, id: string): Promise<UploadState> {
    await this.#checkUpload(repository, id);
    const live = this.#offsets.get(id);
    if (live !== undefined) return { id, offset: live };
    return this.#uploads.run(id, async () => {
      await using ingest = await this.#content.begin(ingestId(id));
      return { id, offset: ingest.offset };
    });
  }

  async #checkUpload(repository: string, id: string): Promise<void> {
    const known = await this.metadata.findUpload(repository, id);
    if (!known) throw problem('BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry', { upload: id });
  }

  /**
   * Appends to an upload. What arrives before the connection is cut is kept.
   *
   * @throws {OffsetError} when the part does not begin where the upload is.
   */
  async appendUpload(repository: string, id: string, part: UploadPart): Promise<UploadState> {
    return this.#withUpload(repository, id, async (ingest) => {
      try {
        await this.#append(id, ingest, part);
      } finally {
        await this.metadata.touchUpload(id);
      }
      return { id, offset: ingest.offset };
    });
  }

  /**
   * Appends the last part, if any, and makes the blob part of the repository, durably.
   *
   * @throws {ProtocolError} DIGEST_INVALID when the bytes have another digest; the upload is gone then.
   */
  async finishUpload(repository: string, id: string, part: UploadPart, digest: Digest): Promise<void> {
    await this.#withUpload(repository, id, async (ingest) => {
      await this.#append(id, ingest, part);
      try {
        const { sizeBytes } = await ingest.commit({ digest });
        await this.metadata.linkBlob(repository, digest, sizeBytes);
      } catch (error) {
        if (!(error instanceof DigestMismatchError)) throw error;
        await this.metadata.deleteUpload(id);
        const detail = { digest, actual: error.actual };
        throw problem('DIGEST_INVALID', 'provided digest did not match uploaded content', detail, { cause: error });
      }
      await this.metadata.deleteUpload(id);
    });
  }

  /** Gives an upload up. */
  async cancelUpload(repository: string, id: string): Promise<void> {
    await this.#withUpload(repository, id, async (ingest) => {
      await ingest.abort();
      await this.metadata.deleteUpload(id);
    });
  }

  /** Gives up all uploads that nobody touched since `before`; returns how many. */
  async expireUploads(before: Date): Promise<number> {
    const idle = await this.metadata.listIdleUploads(before);
    let expired = 0;
    for (const { id, repository } of idle) {
      if (this.#offsets.has(id)) continue;
      await this.cancelUpload(repository, id);
      expired++;
    }
    return expired;
  }

  get clock(): Clock {
    return this.#clock;
  }

  async #withUpload<T>(repository: string, id: string, body: (ingest: Ingest) => Promise<T>): Promise<T> {
    return this.#uploads.run(id, async () => {
      await this.#checkUpload(repository, id);
      await using ingest = await this.#content.begin(ingestId(id));
      this.#offsets.set(id, ingest.offset);
      try {
        return await body(ingest);
      } finally {
        this.#offsets.delete(id);
      }
    });
  }

  async #append(id: string, ingest: Ingest, part: UploadPart): Promise<void> {
    const { range } = part;
    if (range && range.start !== ingest.offset) throw new OffsetError(ingest.offset);
    const end = range && range.start + range.lengthBytes;
    for await (const chunk of part.body) {
      if (end !== undefined && ingest.offset + chunk.length > end) {
        throw problem('SIZE_INVALID', `more than the announced ${range?.lengthBytes} bytes`);
      }
      await ingest.write(chunk);
      this.#offsets.set(id, ingest.offset);
    }
    if (end !== undefined && ingest.offset < end) {
      throw problem('SIZE_INVALID', `less than the announced ${range?.lengthBytes} bytes`);
    }
  }
}

/** A part that does not begin where its upload is. */
export class OffsetError extends Error {
  readonly offset: number;

  constructor(offset: number) {
    super(`the upload is at ${offset}`);
    this.name = 'OffsetError';
    this.offset = offset;
  }
}

function ingestId(uploadId: string): string {
  return `upload ${uploadId}`;
}

function blobUnknown(digest: Digest): Error {
  return problem('BLOB_UNKNOWN', 'blob unknown to registry', { digest });
}

/** Returns the digest of bytes in memory, in the algorithm of `like`. */
export function digestLike(content: Uint8Array, like: Digest | undefined): Digest {
  const algorithm = like?.startsWith('sha512:') ? 'sha512' : 'sha256';
  return `${algorithm}:${createHash(algorithm).update(content).digest('hex')}` as Digest;
}
