import { EngineError } from '../../base/errors.ts';
import { type DirectoryEntry, readDirectoryBlock } from './directory.ts';
import { blockBytes, dataLayout, decodeDevice, holeBlock, rootNid } from './layout.ts';
import { decodeXattrs, xattrBodyBytes } from './xattrs.ts';

/** An inode as the index has it. */
export interface ErofsInode {
  readonly nid: number;
  /** With type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly linkCount: number;
  /** Of a plain file: its first block, in unified numbering. */
  readonly startBlock: number;
  readonly device: { readonly major: number; readonly minor: number } | undefined;
}

/** Bytes of a file that lie together; `undefined` for the address of a hole. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  /** In bytes, in the unified numbering of the file and its devices. */
  readonly address: number | undefined;
}

/** Reads an index that lies in memory; every number in it is checked against its bounds before use. */
export class ErofsIndexReader {
  readonly #bytes: Buffer;
  readonly #metaBlock: number;
  readonly #subject: string;

  /** `bytes` begins at block `metaBlock` of the file; `subject` names it in errors. */
  constructor(bytes: Buffer, metaBlock: number, subject: string) {
    this.#bytes = bytes;
    this.#metaBlock = metaBlock;
    this.#subject = subject;
  }

  /** The root directory. */
  root(): ErofsInode {
    return this.inode(rootNid);
  }

  /** @throws {EngineError} dataLoss when there is none. */
  inode(nid: number): ErofsInode {
    const at = this.#inodeOffset(nid);
    const bytes = this.#bytes;
    const mode = bytes.readUInt16LE(at + 4);
    const type = mode & 0o170000;
    return {
      nid,
      mode,
      uid: bytes.readUInt32LE(at + 24),
      gid: bytes.readUInt32LE(at + 28),
      sizeBytes: Number(bytes.readBigUInt64LE(at + 8)),
      mtimeSeconds: Number(bytes.readBigInt64LE(at + 32)),
      mtimeNanoseconds: bytes.readUInt32LE(at + 40),
      linkCount: bytes.readUInt32LE(at + 44),
      startBlock: bytes.readUInt32LE(at + 16),
      device: type === 0o020000 || type === 0o060000 ? decodeDevice(bytes.readUInt32LE(at + 16)) : undefined,
    };
  }

  /** The encoded extended attributes of an inode. */
  xattrBody(nid: number): Buffer | undefined {
    const at = this.#inodeOffset(nid);
    const length = xattrBodyBytes(this.#bytes.readUInt16LE(at + 2));
    return length === 0 ? undefined : this.#slice(at + 64, length);
  }

  xattrs(nid: number): ReadonlyMap<string, Buffer> | undefined {
    const body = this.xattrBody(nid);
    return body && decodeXattrs(body);
  }

  /** Target of a symbolic link, as latin1. */
  linkTarget(inode: ErofsInode): string {
    return this.#data(inode, 0, inode.sizeBytes).toString('latin1');
  }

  /** Entries of a directory in byte order, without `.` and `..`. */
  *children(directory: ErofsInode): Iterable<DirectoryEntry> {
    for (let offset = 0; offset < directory.sizeBytes; offset += blockBytes) {
      for (const entry of readDirectoryBlock(this.#directoryBlock(directory, offset))) {
        if (entry.name !== '.' && entry.name !== '..') yield entry;
      }
    }
  }

  /** Finds a name in a directory by binary search over its blocks. */
  find(directory: ErofsInode, name: string): DirectoryEntry | undefined {
    let low = 0;
    let high = Math.ceil(directory.sizeBytes / blockBytes) - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const first = readDirectoryBlock(this.#directoryBlock(directory, middle * blockBytes))[0];
      if (first && first.name <= name) low = middle;
      else high = middle - 1;
    }
    const entries = readDirectoryBlock(this.#directoryBlock(directory, low * blockBytes));
    return entries.find((entry) => entry.name === name);
  }

  /** Where the bytes of a regular file lie, in order, holes included. */
  *extents(inode: ErofsInode): Iterable<Extent> {
    const at = this.#inodeOffset(inode.nid);
    const layout = (this.#bytes.readUInt16LE(at) >> 1) & 7;
    if (inode.sizeBytes === 0) return;
    if (layout !== dataLayout.chunks) {
      yield { offset: 0, length: inode.sizeBytes, address: inode.startBlock * blockBytes };
      return;
    }
    const { bits, blocks } = this.chunks(inode) ?? { bits: 0, blocks: new Uint32Array() };
    const chunkBytes = blockBytes * 2 ** bits;
    for (let index = 0; index < blocks.length; index++) {
      const offset = index * chunkBytes;
      const block = blocks[index] ?? holeBlock;
      const length = Math.min(chunkBytes, inode.sizeBytes - offset);
      yield { offset, length, address: block === holeBlock ? undefined : block * blockBytes };
    }
  }

  /** The chunk table of a sparse file. */
  chunks(inode: ErofsInode): { readonly bits: number; readonly blocks: Uint32Array } | undefined {
    const at = this.#inodeOffset(inode.nid);
    if (((this.#bytes.readUInt16LE(at) >> 1) & 7) !== dataLayout.chunks) return undefined;
    const bits = this.#bytes.readUInt16LE(at + 16) & 31;
    const count = Math.ceil(inode.sizeBytes / (blockBytes * 2 ** bits));
    const table = this.#slice(at + 64 + xattrBodyBytes(this.#bytes.readUInt16LE(at + 2)), count * 4);
    return { bits, blocks: Uint32Array.from({ length: count }, (_, index) => table.readUInt32LE(index * 4)) };
  }

  #directoryBlock(directory: ErofsInode, offset: number): Buffer {
    return this.#data(directory, offset, Math.min(blockBytes, directory.sizeBytes - offset));
  }

  #data(inode: ErofsInode, offset: number, length: number): Buffer {
    const at = this.#inodeOffset(inode.nid);
    const isInline = ((this.#bytes.readUInt16LE(at) >> 1) & 7) === dataLayout.inline;
    const start = isInline
      ? at + 64 + xattrBodyBytes(this.#bytes.readUInt16LE(at + 2))
      : (inode.startBlock - this.#metaBlock) * blockBytes;
    return this.#slice(start + offset, length);
  }

  #inodeOffset(nid: number): number {
    const at = nid * 32;
    if (at + 64 > this.#bytes.length) throw this.#damaged();
    return at;
  }

  #slice(start: number, length: number): Buffer {
    if (start < 0 || start + length > this.#bytes.length) throw this.#damaged();
    return this.#bytes.subarray(start, start + length);
  }

  #damaged(): EngineError {
    return new EngineError('dataLoss', `the index of ${this.#subject} is damaged`);
  }
}
