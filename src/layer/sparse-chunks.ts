import { EngineError } from '../base/errors.ts';
import { blockBytes, holeBlock } from '../formats/erofs/layout.ts';
import type { TarEntry } from '../formats/tar/entry.ts';
import type { Subject } from '../formats/tar/numbers.ts';

const chunkLimit = 8_000_000;
const bitsLimit = 31;

/** Where the chunks of a sparse file lie. */
export interface ChunkPlan {
  readonly bits: number;
  readonly blocks: Uint32Array;
  /** Its parts do not begin or end on block boundaries: `blocks` is to be filled when they were copied. */
  readonly isUnaligned: boolean;
}

/** A sparse file whose parts must be copied. */
export interface UnalignedFile {
  readonly chunks: ChunkPlan;
  readonly entry: TarEntry;
}

/**
 * Chooses the largest chunks whose bounds meet those of all stored segments, and says where each lies.
 *
 * @throws {EngineError} invalidArgument when that would be too many.
 */
export function planChunks(entry: TarEntry, tarOffset: number, subject: Subject): ChunkPlan {
  const segments = (entry.segments ?? []).filter((segment) => segment.length > 0);
  let bits = bitsLimit;
  for (const { offset, length } of segments) {
    bits = Math.min(bits, alignment(offset));
    // A part that ends with the file may end anywhere: nothing behind it shows.
    if (offset + length !== entry.sizeBytes) bits = Math.min(bits, alignment(length));
  }
  const isUnaligned = bits < 0;
  if (isUnaligned) bits = 3;
  const chunkBytes = blockBytes * 2 ** bits;
  const count = Math.ceil(entry.sizeBytes / chunkBytes);
  if (count > chunkLimit)
    throw new EngineError('invalidArgument', `layer: ${subject.toString()} is sparse in too many pieces`);
  const blocks = new Uint32Array(count).fill(holeBlock);
  if (!isUnaligned) {
    let block = (tarOffset + entry.dataOffset) / blockBytes;
    for (const { offset, length } of segments) {
      const first = offset / chunkBytes;
      const end = Math.ceil((offset + length) / chunkBytes);
      for (let chunk = first; chunk < end; chunk++) {
        blocks[chunk] = block;
        block += 2 ** bits;
      }
    }
  }
  return { bits, blocks, isUnaligned };
}

/** log2 of the largest power of two of blocks that divides a number of bytes; −1 when it is no whole number of blocks. */
function alignment(bytes: number): number {
  let rest = bytes / blockBytes;
  if (!Number.isInteger(rest)) return -1;
  let bits = 0;
  while (bits < bitsLimit && rest % 2 === 0) {
    rest /= 2;
    bits++;
  }
  return bits;
}

/**
 * Copies the parts of an unaligned sparse file to block boundaries, appending with `append`, which returns the block that the
 * bytes begin at. `read` reads from the tar.
 */
export function alignFile(
  file: UnalignedFile,
  read: (offset: number, length: number) => Buffer,
  append: (bytes: Buffer) => number,
): void {
  const chunkBytes = blockBytes * 2 ** file.chunks.bits;
  let stored = file.entry.dataOffset;
  let current: { readonly chunk: number; readonly bytes: Buffer } | undefined;
  const flush = (): void => {
    if (current) file.chunks.blocks[current.chunk] = append(current.bytes);
    current = undefined;
  };
  for (const segment of file.entry.segments ?? []) {
    for (let offset = segment.offset; offset < segment.offset + segment.length;) {
      const chunk = Math.floor(offset / chunkBytes);
      if (current?.chunk !== chunk) {
        flush();
        current = { chunk, bytes: Buffer.alloc(chunkBytes) };
      }
      const within = offset - chunk * chunkBytes;
      const length = Math.min(chunkBytes - within, segment.offset + segment.length - offset);
      read(stored, length).copy(current.bytes, within);
      offset += length;
      stored += length;
    }
  }
  flush();
}
