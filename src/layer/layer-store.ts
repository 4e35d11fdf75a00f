/**
 * Layers by diffID, each unpacked into a form the kernel can mount. A layer is made once, by `import` (from a blob) or `pack`
 * (from the writable directory of a snapshot), is the same on every machine, and never changes. It does not depend on its
 * parents, except that directories its tar implies and hard links into lower layers make `lowers` write a variant index for
 * the chain it is used in.
 */
import type { Digest } from '../formats/oci/digest.ts';

/** What is known of an unpacked layer. */
export interface LayerInfo {
  readonly diffId: Digest;
  /** Of the uncompressed tar. */
  readonly tarSizeBytes: number;
  /** On disk. */
  readonly usageBytes: number;
}

/** How {@link LayerStore.pack} and exports compress. */
export type LayerCompression = 'gzip' | 'zstd' | 'none';

/** A layer made from a directory, with the compressed blob that was written in the same pass. */
export interface PackedLayer extends LayerInfo {
  readonly blob: {
    /** A finished, flushed file in the layer store's temporary folder; the caller moves it into the content store. */
    readonly file: string;
    readonly digest: Digest;
    readonly sizeBytes: number;
    readonly mediaType: string;
  };
}

/** One lower of an overlay: a file to mount, with the device files it refers to, or a directory to use as it is. */
export type LowerLayer =
  | { readonly kind: 'erofs'; readonly name: string; readonly file: string; readonly devices: readonly string[] }
  | { readonly kind: 'directory'; readonly name: string; readonly directory: string };

/** One path of a layer. Names are bytes, carried as latin1 strings. */
export interface LayerEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly sizeBytes: number;
  readonly linkTarget?: string;
  /** The same for all names of one inode. */
  readonly inode: number;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: ReadonlyMap<string, Buffer>;
  /** Hides the lower layers' entry of this name. */
  readonly whiteout: boolean;
  /** Hides the lower layers' entries below this directory. */
  readonly opaque: boolean;
}

/** An open layer, read in user space. */
export interface LayerReader extends AsyncDisposable {
  readonly info: LayerInfo;
  /** All entries, depth first, children in byte order; the root has the path ''. */
  entries(): Iterable<LayerEntry>;
  /** The bytes of a regular file. */
  read(entry: LayerEntry): AsyncIterable<Uint8Array>;
  /** The uncompressed tar, byte for byte. */
  tar(): AsyncIterable<Uint8Array>;
}

/** Options of {@link LayerStore.import}. */
export interface ImportOptions {
  readonly signal?: AbortSignal;
  /** Compressed bytes consumed so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** Layers by diffID; see the head of this file. */
export interface LayerStore {
  /**
   * Unpacks the blob in `file` (gzip, zstd or plain, told by content). Idempotent; shared by concurrent callers; durable when
   * it returns.
   *
   * @throws {LayerDigestError} when the tar's digest is not `diffId`.
   * @throws {EngineError} invalidArgument when the tar is malformed or hostile.
   */
  import(diffId: Digest, file: string, options?: ImportOptions): Promise<LayerInfo>;
  /** Makes a layer of the changes in an overlay's upper directory. Durable when it returns. */
  pack(
    upperDirectory: string,
    options: { readonly compression: LayerCompression; readonly signal?: AbortSignal },
  ): Promise<PackedLayer>;
  find(diffId: Digest): Promise<LayerInfo | undefined>;
  /** @throws {EngineError} notFound */
  open(diffId: Digest): Promise<LayerReader>;
  /** What to mount for a chain, bottom first. @throws {EngineError} notFound naming a missing layer. */
  lowers(diffIds: readonly Digest[]): Promise<readonly LowerLayer[]>;
  /** The topmost layer of a chain whose tar lists the root directory: its attributes are the root's. */
  rootLayer(diffIds: readonly Digest[]): Promise<Digest | undefined>;
  /** Returns whether there was such a layer. Safe while it is mounted: space returns with the last umount. */
  remove(diffId: Digest): Promise<boolean>;
  walk(): AsyncIterable<LayerInfo>;
}
