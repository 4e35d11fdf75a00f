import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { EngineError } from '../base/errors.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { BlobHandle, ByteRange } from './content-store.ts';

const readBytes = 1 << 20;

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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#handle.close();
    await this.#closed;
  }
}
