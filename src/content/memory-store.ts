import { createHash } from 'node:crypto';
import { EngineError } from '../base/errors.ts';
import { algorithmOf, type Digest } from '../formats/oci/digest.ts';
import type { BlobHandle, BlobInfo, ByteRange, ContentStore, Ingest } from './content-store.ts';
import { checkDigest, checkSize } from './digest-mismatch-error.ts';

/** A {@link ContentStore} in memory, for tests and short-lived programs. */
export class MemoryContentStore implements ContentStore {
  readonly #blobs = new Map<Digest, Buffer>();
  readonly #ingests = new Map<string, Buffer>();
  readonly #held = new Set<string>();

  find(digest: Digest): Promise<BlobInfo | undefined> {
    const content = this.#blobs.get(digest);
    return Promise.resolve(content && { digest, sizeBytes: content.length });
  }

  open(digest: Digest, range: ByteRange = { start: 0 }): Promise<BlobHandle> {
    const content = this.#blobs.get(digest);
    if (!content) return Promise.reject(new EngineError('notFound', `content ${digest} not found`));
    const part = content.subarray(range.start, range.end);
    return Promise.resolve({
      digest,
      sizeBytes: content.length,
      async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
        if (part.length > 0) yield part;
      },
      async copyTo(sink): Promise<void> {
        if (part.length > 0) await sink(part);
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  }

  begin(ingestId: string): Promise<Ingest> {
    if (this.#held.has(ingestId)) {
      return Promise.reject(new EngineError('conflict', `ingest ${ingestId} is being written`));
    }
    this.#held.add(ingestId);
    return Promise.resolve(
      new MemoryIngest(this.#ingests.get(ingestId), (held, blob) => {
        this.#held.delete(ingestId);
        if (held) this.#ingests.set(ingestId, held);
        else this.#ingests.delete(ingestId);
        if (blob) this.#blobs.set(blob.digest, blob.content);
      }),
    );
  }

  delete(digest: Digest): Promise<boolean> {
    return Promise.resolve(this.#blobs.delete(digest));
  }

  async *walk(): AsyncIterable<BlobInfo> {
    for (const [digest, content] of this.#blobs) yield { digest, sizeBytes: content.length };
  }
}

type Release = (
  held: Buffer | undefined,
  blob: { readonly digest: Digest; readonly content: Buffer } | undefined,
) => void;

class MemoryIngest implements Ingest {
  readonly #chunks: Uint8Array[];
  readonly #release: Release;
  #offset: number;
  #closed = false;

  constructor(held: Buffer | undefined, release: Release) {
    this.#chunks = held ? [held] : [];
    this.#offset = held?.length ?? 0;
    this.#release = release;
  }

  get offset(): number {
    return this.#offset;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(new EngineError('failedPrecondition', 'the ingest is closed'));
    this.#chunks.push(bytes);
    this.#offset += bytes.length;
    return Promise.resolve();
  }

  async commit(expected: { readonly digest: Digest; readonly sizeBytes?: number }): Promise<BlobInfo> {
    if (this.#closed) throw new EngineError('failedPrecondition', 'the ingest is closed');
    const content = Buffer.concat(this.#chunks);
    const algorithm = algorithmOf(expected.digest);
    try {
      checkSize(expected.digest, expected.sizeBytes, content.length);
      checkDigest(expected.digest, `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`);
    } catch (error) {
      await this.abort();
      throw error;
    }
    this.#closed = true;
    this.#release(undefined, { digest: expected.digest, content });
    return { digest: expected.digest, sizeBytes: content.length };
  }

  abort(): Promise<void> {
    if (!this.#closed) this.#release(undefined, undefined);
    this.#closed = true;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) this.#release(Buffer.concat(this.#chunks), undefined);
    this.#closed = true;
    return Promise.resolve();
  }
}
