import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { EngineError } from '../base/errors.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { BlobHandle, ByteRange } from './content-store.ts';

const readBytes = 1 << 20;
const pooledBuffers = 16;
/** Buffers of `copyTo` that nobody uses now: fresh ones would cost a collection every few of them. */
const pool: Buffer[] = [];

/** An open blob file. Every chunk is a buffer of its own. */
export class LocalBlob implements BlobHandle {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  readonly #start: number;
  readonly #end: number;
  #closed: Promise<void> | undefined;

  private constructor(handle: FileHandle, digest: Digest, sizeBytes: number, range: ByteRange) {
    this.#handle = handle;
    this.digest = digest;
    this.sizeBytes = sizeBytes;
    this.#start = Math.min(range.start, sizeBytes);
    this.#end = Math.min(range.end ?? sizeBytes, sizeBytes);
  }

  /** Opens a blob's file; fails with the system's error when there is none. */
  static async open(file: string, digest: Digest, range: ByteRange = { start: 0 }): Promise<LocalBlob> {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return new LocalBlob(handle, digest, (await handle.stat()).size, range);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    let position = this.#start;
    while (position < this.#end) {
      const buffer = Buffer.allocUnsafe(Math.min(readBytes, this.#end - position));
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) throw new EngineError('dataLoss', `content ${this.digest} ends early, at byte ${position}`);
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async copyTo(sink: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    const buffers = [takeBuffer(), takeBuffer()] as const;
    let reading: Promise<number> = Promise.resolve(0);
    let settled = false;
    try {
      let position = this.#start;
      let turn: 0 | 1 = 0;
      reading = this.#readInto(buffers[turn], position);
      while (position < this.#end) {
        const bytesRead = await reading;
        const chunk = buffers[turn].subarray(0, bytesRead);
        position += bytesRead;
        turn = turn === 0 ? 1 : 0;
        reading = this.#readInto(buffers[turn], position);
        // Its failure is met when it is awaited; until then the sink may fail first.
        reading.catch(() => undefined);
        await sink(chunk);
      }
      settled = true;
    } finally {
      await reading.catch(() => undefined);
      // After a failure the sink may still hold its chunk.
      if (settled && pool.length + 2 <= pooledBuffers) pool.push(...buffers);
    }
  }

  async #readInto(buffer: Buffer, position: number): Promise<number> {
    const length = Math.min(buffer.length, this.#end - position);
    if (length <= 0) return 0;
    const { bytesRead } = await this.#handle.read(buffer, 0, length, position);
    if (bytesRead === 0) throw new EngineError('dataLoss', `content ${this.digest} ends early, at byte ${position}`);
    return bytesRead;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#handle.close();
    await this.#closed;
  }
}

function takeBuffer(): Buffer {
  return pool.pop() ?? Buffer.allocUnsafeSlow(readBytes);
}
