import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { EngineError } from '../base/errors.ts';
import { buildErofsIndex } from '../formats/erofs/index-writer.ts';
import { blockBytes, writeSuperblock } from '../formats/erofs/layout.ts';
import { type Digest, digestFromHash } from '../formats/oci/digest.ts';
import { TarScanner } from '../formats/tar/scanner.ts';
import { headBytes, type LayerHeader, readAt, writeLayerHeader } from './layer-file.ts';
import { alignFile } from './sparse-chunks.ts';
import { LayerTreeBuilder } from './tree-builder.ts';

const pageBytes = 4096;

/** What is known of a layer file when it is written. */
export interface WrittenLayer {
  readonly header: LayerHeader;
  readonly usageBytes: number;
}

/** Writes a layer file in one pass over its tar. The descriptor is open for reading and writing on an empty file. */
export class LayerFileWriter {
  readonly #descriptor: number;
  readonly #hash = createHash('sha256');
  readonly #builder = new LayerTreeBuilder();
  readonly #scanner = new TarScanner((entry) => this.#builder.add(entry));
  #tarBytes = 0;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Takes the next bytes of the tar. @throws {EngineError} invalidArgument when it is malformed or hostile. */
  write(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#scanner.push(bytes);
    writeAt(this.#descriptor, bytes, headBytes + this.#tarBytes);
    this.#tarBytes += bytes.length;
  }

  /** Writes index and head. With `expected`, nothing is finished whose digest differs: `mismatch` makes the error. */
  finish(expected: Digest | undefined, mismatch: (actual: Digest) => Error): WrittenLayer {
    const diffId = digestFromHash(this.#hash.digest());
    if (expected !== undefined && expected !== diffId) throw mismatch(diffId);
    this.#scanner.end();
    const notes = this.#builder.finish();
    const tarEnd = roundUp(headBytes + this.#tarBytes, pageBytes);
    const indexStart = roundUp(this.#alignSparseFiles(tarEnd), pageBytes);
    const index = buildErofsIndex(this.#builder.tree, indexStart / blockBytes);
    const notesOffset = indexStart + index.bytes.length;
    const hasNotes = notes.implied.length + notes.lowerLinks.length > 0;
    const notesBytes = hasNotes ? Buffer.from(JSON.stringify(notes), 'latin1') : Buffer.alloc(0);
    const header: LayerHeader = {
      diffId,
      tarSizeBytes: this.#tarBytes,
      hasImplied: notes.implied.length > 0,
      hasLowerLinks: notes.lowerLinks.length > 0,
      isRootListed: this.#builder.isRootListed,
      isRootOpaque: this.#builder.isRootOpaque,
      notesOffset,
      notesBytes: notesBytes.length,
    };
    const tail = Buffer.concat([index.bytes, notesBytes], roundUp(index.bytes.length + notesBytes.length, blockBytes));
    writeAt(this.#descriptor, tail, indexStart);
    const head = Buffer.alloc(headBytes);
    writeLayerHeader(head, header);
    const totalBlocks = (indexStart + tail.length) / blockBytes;
    writeSuperblock(
      head,
      {
        inodeCount: index.inodeCount,
        totalBlocks,
        metaBlock: indexStart / blockBytes,
        uuid: Buffer.from(diffId.slice('sha256:'.length), 'hex').subarray(0, 16),
        hasChunks: index.hasChunks,
        devices: [],
      },
      0,
    );
    writeAt(this.#descriptor, head, 0);
    return { header, usageBytes: indexStart + tail.length };
  }

  /** Returns where free space begins afterwards. */
  #alignSparseFiles(start: number): number {
    let end = start;
    for (const file of this.#builder.unaligned) {
      const subject = `sparse file ${file.entry.path}`;
      const read = (offset: number, length: number): Buffer =>
        readAt(this.#descriptor, headBytes + offset, length, subject);
      alignFile(file, read, (bytes) => {
        writeAt(this.#descriptor, bytes, end);
        end += bytes.length;
        return (end - bytes.length) / blockBytes;
      });
    }
    if (end / blockBytes >= 0xffff_ffff) throw new EngineError('invalidArgument', 'layer: larger than 2 TiB');
    return end;
  }
}

/** Writes all of `bytes` at a position. */
export function writeAt(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
