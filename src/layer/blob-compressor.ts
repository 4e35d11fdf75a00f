import { createHash } from 'node:crypto';
import { accessSync, closeSync, constants, createReadStream, createWriteStream, openSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createGzip, createZstdCompress } from 'node:zlib';
import { EngineError, unreachable } from '../base/errors.ts';
import { type Digest, digestFromHash } from '../formats/oci/digest.ts';
import { closeDescriptor } from '../host/descriptor.ts';
import { requestPipeCapacity } from '../host/pipe-capacity.ts';
import { createPipe } from '../host/pipe.ts';
import { spawnProcess } from '../host/spawn.ts';
import { waitForChildSync } from '../host/wait-child.ts';
import { headBytes, type LayerHeader } from './layer-file.ts';
import type { LayerCompression } from './layer-store.ts';

/** A blob's digest and size. */
export interface FinishedBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Compresses a tar that is also being written into a layer file. */
export interface BlobCompressor {
  write(bytes: Buffer): void;
  /** Says that the tar is complete, and lies in `layerFile`. */
  finish(layerFile: string, header: LayerHeader): Promise<FinishedBlob>;
  /** Ends what still runs. */
  close(): void;
}

/**
 * Returns the compressor for a blob file that does not exist yet. gzip is done by `igzip -1` where it is installed, which keeps
 * up with the disk on the other core; else by zlib from the finished layer file.
 */
export function createBlobCompressor(compression: LayerCompression, file: string): BlobCompressor {
  switch (compression) {
    case 'gzip': {
      const program = findIgzip();
      return program === undefined ? new LaterCompressor('gzip', file) : new ProcessCompressor(program, file);
    }
    case 'zstd':
    case 'none':
      return new LaterCompressor(compression, file);
    default:
      return unreachable(compression);
  }
}

function findIgzip(): string | undefined {
  return ['/usr/bin/igzip', '/usr/local/bin/igzip'].find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      // Not installed there.
      return false;
    }
  });
}

/** Feeds a child process by a pipe; its output goes straight to the blob file. */
class ProcessCompressor implements BlobCompressor {
  readonly #file: string;
  readonly #program: string;
  readonly #pid: number;
  #input: number | undefined;
  #exitCode: number | undefined;
  #checksum = 0;
  #bytes = 0;

  constructor(program: string, file: string) {
    this.#program = program;
    this.#file = file;
    const output = openSync(file, 'wx', 0o600);
    const { read, write } = createPipe();
    requestPipeCapacity(write, 1024 * 1024);
    try {
      // -n: no time of day in the header, so that the same tar gives the same blob.
      this.#pid = spawnProcess(program, ['-1', '-n'], { env: {}, stdio: [read, output, null] });
      this.#input = write;
    } catch (error) {
      closeDescriptor(write);
      throw error;
    } finally {
      closeDescriptor(read);
      closeSync(output);
    }
  }

  write(bytes: Buffer): void {
    if (this.#input === undefined) throw new EngineError('internal', 'the compressor has ended');
    this.#checksum = crc32(bytes, this.#checksum);
    this.#bytes += bytes.length;
    for (let done = 0; done < bytes.length;) done += writeSync(this.#input, bytes, done);
  }

  async finish(): Promise<FinishedBlob> {
    this.close();
    const blob = await hashFile(this.#file);
    // Whoever reaps children of this process may have taken the exit code, so the blob itself must tell.
    const [checksum, length] = [blob.tail.readUInt32LE(0), blob.tail.readUInt32LE(4)];
    if ((this.#exitCode ?? 0) !== 0 || checksum !== this.#checksum || length !== this.#bytes % 2 ** 32) {
      throw new EngineError(
        'internal',
        `${this.#program} failed: exit code ${this.#exitCode}, ${blob.sizeBytes} bytes`,
      );
    }
    return { digest: blob.digest, sizeBytes: blob.sizeBytes };
  }

  close(): void {
    if (this.#input === undefined) return;
    closeDescriptor(this.#input);
    this.#input = undefined;
    this.#exitCode = waitForChildSync(this.#pid);
  }
}

/** Compresses from the layer file when that is complete, by Node's public streams. */
class LaterCompressor implements BlobCompressor {
  readonly #compression: LayerCompression;
  readonly #file: string;

  constructor(compression: LayerCompression, file: string) {
    this.#compression = compression;
    this.#file = file;
  }

  write(): void {
    // Read back from the layer file, which is still in memory then.
  }

  async finish(layerFile: string, header: LayerHeader): Promise<FinishedBlob> {
    const source =
      header.tarSizeBytes === 0
        ? []
        : createReadStream(layerFile, {
            start: headBytes,
            end: headBytes + header.tarSizeBytes - 1,
            highWaterMark: 1024 * 1024,
          });
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done): void {
        hash.update(chunk);
        sizeBytes += chunk.length;
        done(null, chunk);
      },
    });
    const target = createWriteStream(this.#file, { flags: 'wx', mode: 0o600 });
    const settings = { chunkSize: 256 * 1024 };
    if (this.#compression === 'gzip') await pipeline(source, createGzip({ ...settings, level: 1 }), meter, target);
    else if (this.#compression === 'zstd') await pipeline(source, createZstdCompress(settings), meter, target);
    else await pipeline(source, meter, target);
    return { digest: digestFromHash(hash.digest()), sizeBytes };
  }

  close(): void {
    // Holds nothing between calls.
  }
}

async function hashFile(file: string): Promise<FinishedBlob & { readonly tail: Buffer }> {
  const hash = createHash('sha256');
  await using handle = await open(file, 'r');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  const tail = Buffer.alloc(8);
  let sizeBytes = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    sizeBytes += bytesRead;
  }
  if (sizeBytes >= tail.length) await handle.read(tail, 0, tail.length, sizeBytes - tail.length);
  return { digest: digestFromHash(hash.digest()), sizeBytes, tail };
}
