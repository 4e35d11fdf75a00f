/**
 * A layer file: the uncompressed tar of a layer, byte for byte, made mountable. Its content is a function of the tar alone.
 *
 *      0  our header: magic, version, flags, length of the tar, place of the notes, diffID
 *   1024  EROFS superblock, device table of variants from 2048 on
 *   4096  the tar, then zeros to the next multiple of 4096
 *         parts of sparse files that do not lie on 512-byte boundaries of the tar, copied; mostly nothing
 *         index: EROFS inodes and directories; file inodes point into the tar
 *         notes: JSON; what a variant for a chain needs (see chain-facts in `LayerNotes`)
 *
 * A *variant* is the same without a tar: its index points into layer files, which are its devices.
 */
import { fstatSync, readSync } from 'node:fs';
import { EngineError } from '../base/errors.ts';
import { readSuperblock, type Superblock, blockBytes } from '../formats/erofs/layout.ts';
import { ErofsIndexReader } from '../formats/erofs/index-reader.ts';
import { type Digest, digestFromHash, encodedOf } from '../formats/oci/digest.ts';

/** Bytes in front of the tar. */
export const headBytes = 4096;
/** Where the device table of a variant begins, and how many devices fit behind it. */
export const deviceTable = { offset: 2048, limit: 16 } as const;

const magic = 'SLIPLAYR';
const version = 1;
const flag = { implied: 1, lowerLinks: 2, rootListed: 4, rootOpaque: 8 } as const;

/** What the header says. */
export interface LayerHeader {
  readonly diffId: Digest;
  readonly tarSizeBytes: number;
  /** Directories other than the root are implied: they have attributes of the layers below. */
  readonly hasImplied: boolean;
  /** Hard links lead into layers below. */
  readonly hasLowerLinks: boolean;
  /** The tar has an entry for the root itself. */
  readonly isRootListed: boolean;
  /** Nothing of the layers below shows. */
  readonly isRootOpaque: boolean;
  readonly notesOffset: number;
  readonly notesBytes: number;
}

/** What a variant needs to know beyond the index. Paths are latin1, without a leading slash. */
export interface LayerNotes {
  /** Directories that the tar implies but does not list, parents first. */
  readonly implied: readonly string[];
  /** Names that are hard links into lower layers, with the path they lead to. One inode per target. */
  readonly lowerLinks: readonly (readonly [name: string, target: string])[];
}

/** Writes our header into a file's head, which must be zero there. */
export function writeLayerHeader(head: Buffer, header: LayerHeader): void {
  head.write(magic, 0, 'latin1');
  head.writeUInt32LE(version, 8);
  head.writeUInt32LE(
    (header.hasImplied ? flag.implied : 0) |
      (header.hasLowerLinks ? flag.lowerLinks : 0) |
      (header.isRootListed ? flag.rootListed : 0) |
      (header.isRootOpaque ? flag.rootOpaque : 0),
    12,
  );
  head.writeBigUInt64LE(BigInt(header.tarSizeBytes), 16);
  head.writeBigUInt64LE(BigInt(header.notesOffset), 24);
  head.writeBigUInt64LE(BigInt(header.notesBytes), 32);
  head.write(encodedOf(header.diffId), 40, 'hex');
}

/** An open layer file with its index in memory. */
export interface LoadedLayer {
  readonly header: LayerHeader;
  readonly superblock: Superblock;
  readonly index: ErofsIndexReader;
}

/** Reads header and superblock of an open layer file. @throws {EngineError} dataLoss when it is damaged. */
export function readLayerHead(descriptor: number, subject: string): Omit<LoadedLayer, 'index'> {
  const head = Buffer.alloc(headBytes);
  const length = readSync(descriptor, head, 0, headBytes, 0);
  if (length < headBytes || head.toString('latin1', 0, 8) !== magic || head.readUInt32LE(8) !== version) {
    throw new EngineError('dataLoss', `${subject} is not a layer file of this version`);
  }
  const flags = head.readUInt32LE(12);
  const header: LayerHeader = {
    diffId: digestFromHash(head.subarray(40, 72)),
    tarSizeBytes: Number(head.readBigUInt64LE(16)),
    hasImplied: (flags & flag.implied) !== 0,
    hasLowerLinks: (flags & flag.lowerLinks) !== 0,
    isRootListed: (flags & flag.rootListed) !== 0,
    isRootOpaque: (flags & flag.rootOpaque) !== 0,
    notesOffset: Number(head.readBigUInt64LE(24)),
    notesBytes: Number(head.readBigUInt64LE(32)),
  };
  return { header, superblock: readSuperblock(head, subject) };
}

/** Reads an open layer file's index. @throws {EngineError} dataLoss when it is damaged. */
export function loadLayer(descriptor: number, subject: string): LoadedLayer {
  const head = readLayerHead(descriptor, subject);
  const start = head.superblock.metaBlock * blockBytes;
  const end = head.header.notesOffset;
  if (end < start || end > fstatSync(descriptor).size) throw new EngineError('dataLoss', `${subject} is cut short`);
  const index = readAt(descriptor, start, end - start, subject);
  return { ...head, index: new ErofsIndexReader(index, head.superblock.metaBlock, subject) };
}

/** Reads an open layer file's notes. */
export function readNotes(descriptor: number, header: LayerHeader, subject: string): LayerNotes {
  if (header.notesBytes === 0) return { implied: [], lowerLinks: [] };
  const text = readAt(descriptor, header.notesOffset, header.notesBytes, subject).toString('latin1');
  return JSON.parse(text) as LayerNotes;
}

/** Reads exactly `length` bytes. @throws {EngineError} dataLoss when the file is shorter. */
export function readAt(descriptor: number, position: number, length: number, subject: string): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const count = readSync(descriptor, bytes, done, length - done, position + done);
    if (count === 0) throw new EngineError('dataLoss', `${subject} is cut short`);
    done += count;
  }
  return bytes;
}
