import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { EngineError, isErrorCode } from '../base/errors.ts';
import { algorithmOf, type Digest, type DigestAlgorithm } from '../formats/oci/digest.ts';
import type { BlobInfo, Ingest } from './content-store.ts';
import { checkDigest, checkSize } from './digest-mismatch-error.ts';

/** What an ingest asks of the store that it belongs to. */
export interface IngestOwner {
  /** Makes a flushed and closed ingest file visible under its digest, durably. */
  publish(digest: Digest): Promise<void>;
  /** Removes the ingest file. */
  remove(): Promise<void>;
  /** Lets others hold the ingest; `state` lets the next one in this process go on without reading again. */
  release(state: HashState | undefined): void;
}

/** The running hash over all bytes of an ingest so far. */
export interface HashState {
  readonly hash: Hash;
  readonly offset: number;
}

const batchBytes = 1 << 20;
const flushEveryBytes = 32 << 20;
const readBytes = 1 << 20;

/**
 * An ingest in a file. Bytes are hashed at once, written in batches while the next arrive, and flushed behind the writer, so
 * that the flush at commit is short.
 */
export class LocalIngest implements Ingest {
  readonly #handle: FileHandle;
  readonly #owner: IngestOwner;
  #hash: Hash | undefined;
  #offset: number;
  #written: number;
  #flushedTo: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> | undefined;
  #flushing: Promise<void> | undefined;
  #failure: unknown;
  #closed = false;

  /** `resumed` is the hash over the `sizeBytes` that the file holds; without it they are read again at commit. */
  constructor(handle: FileHandle, owner: IngestOwner, sizeBytes: number, resumed: Hash | undefined) {
    this.#handle = handle;
    this.#owner = owner;
    this.#offset = this.#written = this.#flushedTo = sizeBytes;
    this.#hash = resumed ?? (sizeBytes === 0 ? createHash('sha256') : undefined);
  }

  get offset(): number {
    return this.#offset;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#check();
    if (bytes.length === 0) return;
    this.#hash?.update(bytes);
    this.#offset += bytes.length;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes < batchBytes) return;
    await this.#writing;
    this.#check();
    this.#startWriting();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) throw new EngineError('failedPrecondition', 'the ingest is closed');
  }

  #startWriting(): void {
    const chunks = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#writing = this.#writeAll(chunks).catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.#failure ??= isErrorCode(error, 'ENOSPC', 'EDQUOT')
      ? new EngineError('resourceExhausted', 'no space left on device', { cause: error })
      : error;
  }

  async #writeAll(chunks: readonly Uint8Array[]): Promise<void> {
    const expected = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const { bytesWritten } = await this.#handle.writev(chunks as Uint8Array[], this.#written);
    this.#written += bytesWritten;
    if (bytesWritten < expected) {
      const rest = Buffer.concat(chunks as Uint8Array[]).subarray(bytesWritten);
      let done = 0;
      while (done < rest.length) {
        const next = await this.#handle.write(rest, done, rest.length - done, this.#written);
        if (next.bytesWritten === 0) throw new EngineError('resourceExhausted', 'the ingest cannot be written');
        done += next.bytesWritten;
        this.#written += next.bytesWritten;
      }
    }
    if (this.#written - this.#flushedTo >= flushEveryBytes && !this.#flushing) this.#startFlush();
  }

  #startFlush(): void {
    const upTo = this.#written;
    this.#flushing = this.#handle
      .datasync()
      .then(
        () => void (this.#flushedTo = upTo),
        // The kernel tells a write error once only: it must not get lost before commit.
        (error: unknown) => this.#fail(error),
      )
      .finally(() => (this.#flushing = undefined));
  }

  /** Waits until the file holds all bytes. */
  async #drain(): Promise<void> {
    await this.#writing;
    if (this.#pending.length > 0 && this.#failure === undefined) {
      this.#startWriting();
      await this.#writing;
    }
    await this.#flushing;
  }

  async commit(expected: { readonly digest: Digest; readonly sizeBytes?: number }): Promise<BlobInfo> {
    this.#check();
    try {
      await this.#drain();
      this.#check();
      checkSize(expected.digest, expected.sizeBytes, this.#offset);
      checkDigest(expected.digest, await this.#digest(algorithmOf(expected.digest)));
      await this.#handle.sync();
    } catch (error) {
      await this.abort();
      throw error;
    }
    this.#closed = true;
    try {
      await this.#handle.close();
      await this.#owner.publish(expected.digest);
    } finally {
      this.#owner.release(undefined);
    }
    return { digest: expected.digest, sizeBytes: this.#offset };
  }

  async #digest(algorithm: DigestAlgorithm): Promise<string> {
    if (this.#hash && algorithm === 'sha256') return `sha256:${this.#hash.copy().digest('hex')}`;
    const hash = createHash(algorithm);
    const buffer = Buffer.allocUnsafe(readBytes);
    let position = 0;
    while (position < this.#offset) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0)
        throw new EngineError('dataLoss', `the ingest ends at ${position}, expected ${this.#offset}`);
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    return `${algorithm}:${hash.digest('hex')}`;
  }

  async abort(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#pending = [];
    try {
      await this.#drain();
      await this.#handle.close();
      await this.#owner.remove();
    } finally {
      this.#owner.release(undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    let state: HashState | undefined;
    try {
      await this.#drain();
      await this.#handle.close();
      // What could not be written whole is no place to go on from, and a full disk wants its space back.
      if (this.#failure !== undefined) await this.#owner.remove();
      else if (this.#hash) state = { hash: this.#hash, offset: this.#offset };
    } finally {
      this.#owner.release(state);
    }
  }
}
