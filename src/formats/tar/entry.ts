/**
 * One member of a tar archive, all header forms merged. Names are bytes, carried as latin1 strings: one character a byte,
 * so that they compare by byte and lose nothing.
 */
export interface TarEntry {
  /** As the archive has it: not cleaned, with trailing slashes. */
  readonly path: string;
  readonly type: TarType;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** Of the file, holes included; 0 for everything that is not a file. */
  readonly sizeBytes: number;
  /** Target of a hard or symbolic link, '' otherwise. */
  readonly linkTarget: string;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: ReadonlyMap<string, Buffer> | undefined;
  /** Where the file's bytes (of a sparse file: the stored segments, one after the other) begin in the archive. */
  readonly dataOffset: number;
  /** Of a sparse file: the parts that are stored, in order. */
  readonly segments: readonly SparseSegment[] | undefined;
}

/** What a member is. */
export type TarType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

/** A stored part of a sparse file. */
export interface SparseSegment {
  readonly offset: number;
  readonly length: number;
}
