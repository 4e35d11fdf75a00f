/**
 * Decompression by synchronous calls, for workers: twice as fast as Node's streams, because nothing is allocated and no
 * event is emitted for a chunk. Node has no public interface for it, so the handle behind its streams is used, in this file
 * only; {@link canInflateSynchronously} proves at first use that the handle still behaves as known.
 */
import {
  constants,
  createGunzip,
  createZstdDecompress,
  gzipSync,
  type Gunzip,
  type ZstdDecompress,
  zstdCompressSync,
} from 'node:zlib';
import { EngineError } from '../../base/errors.ts';

const outputBytes = 256 * 1024;

/** What Node's zlib streams carry inside. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array | null,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  close(): void;
  onerror: (message: string, errno: number, code: string) => void;
}

/** Decompresses one stream; see the head of this file. */
export class Inflater {
  readonly #format: 'gzip' | 'zstd';
  readonly #stream: Gunzip | ZstdDecompress;
  readonly #handle: Handle;
  readonly #state: Uint32Array;
  readonly #output = Buffer.allocUnsafeSlow(outputBytes);
  #failure: string | undefined;

  constructor(format: 'gzip' | 'zstd') {
    this.#format = format;
    this.#stream = format === 'gzip' ? createGunzip() : createZstdDecompress();
    const internals = this.#stream as unknown as { _handle: Handle; _writeState: Uint32Array };
    this.#handle = internals._handle;
    this.#state = internals._writeState;
    // Errors are told here, not thrown; unheard they would make a corrupt stream loop for ever.
    this.#handle.onerror = (message, _errno, code) => {
      this.#failure = `${code} ${message}`;
    };
  }

  /**
   * Takes compressed bytes and hands out what they hold. The buffer given to `sink` is used again afterwards.
   *
   * @throws {EngineError} invalidArgument when the stream is corrupt.
   */
  push(input: Uint8Array, sink: (bytes: Buffer) => void): void {
    this.#run(this.#format === 'gzip' ? constants.Z_NO_FLUSH : constants.ZSTD_e_continue, input, sink);
  }

  /** Says that all input was given. @throws {EngineError} invalidArgument when the stream is cut short. */
  finish(sink: (bytes: Buffer) => void): void {
    if (this.#format === 'gzip') this.#run(constants.Z_FINISH, new Uint8Array(0), sink);
  }

  close(): void {
    this.#stream.destroy();
  }

  #run(flush: number, input: Uint8Array, sink: (bytes: Buffer) => void): void {
    let offset = 0;
    let left = input.length;
    for (;;) {
      this.#handle.writeSync(flush, input, offset, left, this.#output, 0, outputBytes);
      if (this.#failure !== undefined) {
        throw new EngineError('invalidArgument', `${this.#format} stream is corrupt or cut short: ${this.#failure}`);
      }
      const [outputLeft = 0, inputLeft = 0] = this.#state;
      const made = outputBytes - outputLeft;
      if (made > 0) sink(made === outputBytes ? this.#output : this.#output.subarray(0, made));
      offset += left - inputLeft;
      // What is left with room in the output is padding behind the end, which zlib does not take.
      if (outputLeft > 0 || (made === 0 && inputLeft === left)) return;
      left = inputLeft;
    }
  }
}

let tested: boolean | undefined;

/** Whether {@link Inflater} works on this Node; tried once. */
export function canInflateSynchronously(): boolean {
  tested ??= works('gzip') && works('zstd');
  return tested;
}

function works(format: 'gzip' | 'zstd'): boolean {
  const plain = Buffer.alloc(600_000, 'slipway ');
  const compressed = format === 'gzip' ? gzipSync(plain) : zstdCompressSync(plain);
  try {
    return (
      inflateInPieces(format, compressed).equals(plain) &&
      failsOn(format, Buffer.concat([compressed.subarray(0, 40), Buffer.alloc(40, 0xa5), compressed.subarray(80)])) &&
      (format === 'zstd' || failsOn(format, compressed.subarray(0, -12)))
    );
  } catch {
    // Whatever is missing or different: the public stream is used instead.
    return false;
  }
}

function inflateInPieces(format: 'gzip' | 'zstd', compressed: Buffer): Buffer {
  const inflater = new Inflater(format);
  const parts: Buffer[] = [];
  const sink = (bytes: Buffer): void => void parts.push(Buffer.from(bytes));
  try {
    for (let offset = 0; offset < compressed.length; offset += 333)
      inflater.push(compressed.subarray(offset, offset + 333), sink);
    inflater.finish(sink);
  } finally {
    inflater.close();
  }
  return Buffer.concat(parts);
}

function failsOn(format: 'gzip' | 'zstd', compressed: Buffer): boolean {
  try {
    inflateInPieces(format, compressed);
    return false;
  } catch (error) {
    return error instanceof EngineError;
  }
}
