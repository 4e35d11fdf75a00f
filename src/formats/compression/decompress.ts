import { readSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { EngineError, errorCode } from '../../base/errors.ts';
import { type Compression, detectCompression } from './detect.ts';
import { canInflateSynchronously, Inflater } from './inflater.ts';

const inputBytes = 256 * 1024;

/** What {@link decompressFile} tells and takes. */
export interface DecompressOptions {
  /** Compressed bytes consumed so far, after each piece. May throw to stop. */
  readonly onConsumed?: (bytes: number) => void;
  /** For tests: use Node's public streams. */
  readonly synchronous?: boolean;
}

/**
 * Reads an open file from its start, decompresses it (gzip, zstd or plain, told by content; several members or frames in a
 * row too) and hands the bytes to `sink`, which must not keep them. Blocks the thread: for workers.
 *
 * @throws {EngineError} invalidArgument when the stream is corrupt or of an unknown format.
 */
export async function decompressFile(
  descriptor: number,
  sink: (bytes: Buffer) => void,
  options: DecompressOptions = {},
): Promise<Compression> {
  const input = Buffer.allocUnsafeSlow(inputBytes);
  const headLength = readSync(descriptor, input, 0, 512, 0);
  const compression = detectCompression(input.subarray(0, headLength));
  if (compression === 'none') readAll(descriptor, input, sink, options);
  else if (options.synchronous ?? canInflateSynchronously()) inflateAll(descriptor, input, compression, sink, options);
  else await inflateByStream(descriptor, compression, sink, options);
  return compression;
}

function readAll(descriptor: number, input: Buffer, sink: (bytes: Buffer) => void, options: DecompressOptions): void {
  for (let position = 0; ;) {
    const length = readSync(descriptor, input, 0, input.length, position);
    if (length === 0) return;
    position += length;
    sink(input.subarray(0, length));
    options.onConsumed?.(position);
  }
}

function inflateAll(
  descriptor: number,
  input: Buffer,
  compression: 'gzip' | 'zstd',
  sink: (bytes: Buffer) => void,
  options: DecompressOptions,
): void {
  const inflater = new Inflater(compression);
  try {
    readAll(descriptor, input, (bytes) => inflater.push(bytes, sink), options);
    inflater.finish(sink);
  } finally {
    inflater.close();
  }
}

async function inflateByStream(
  descriptor: number,
  compression: 'gzip' | 'zstd',
  sink: (bytes: Buffer) => void,
  options: DecompressOptions,
): Promise<void> {
  const settings = { chunkSize: 1024 * 1024 };
  const stream = compression === 'gzip' ? createGunzip(settings) : createZstdDecompress(settings);
  try {
    await pipeline(readPieces(descriptor), stream, async (source: AsyncIterable<Buffer>) => {
      for await (const bytes of source) {
        sink(bytes);
        options.onConsumed?.(stream.bytesWritten);
      }
    });
  } catch (error) {
    // Only what zlib and zstd say is about the stream; the rest is the sink's.
    if (errorCode(error)?.startsWith('Z') !== true) throw error;
    throw new EngineError('invalidArgument', `${compression} stream is corrupt or cut short`, { cause: error });
  }
}

function* readPieces(descriptor: number): Iterable<Buffer> {
  for (let position = 0; ;) {
    const piece = Buffer.allocUnsafeSlow(inputBytes);
    const length = readSync(descriptor, piece, 0, inputBytes, position);
    if (length === 0) return;
    position += length;
    yield piece.subarray(0, length);
  }
}
