/**
 * A snapshot is a chain of layers with a writable directory on top. `prepare` makes it, durably; `mount` gives a path to its
 * merged root until `unmount` (or a reboot: it can be mounted again); `remove` ends it. The mount lives in the host's mount
 * namespace below the exec root, so it is found again by a restarted engine. The writable directory is never mounted twice.
 */
import type { Digest } from '../formats/oci/digest.ts';

/** What a snapshot is made of. */
export interface SnapshotInfo {
  readonly key: string;
  readonly diffIds: readonly Digest[];
  readonly volatile: boolean;
}

/** One path that differs from the layers below; docker's Kind 0, 1, 2. */
export interface SnapshotChange {
  readonly path: string;
  readonly kind: 'modified' | 'added' | 'deleted';
}

/** Snapshots by key; see the head of this file. */
export interface Snapshotter {
  /**
   * Makes a snapshot. With `volatile` its writable directory need not survive a power loss.
   *
   * @throws {EngineError} alreadyExists, or notFound naming a missing layer.
   */
  prepare(key: string, diffIds: readonly Digest[], options?: { readonly volatile?: boolean }): Promise<SnapshotInfo>;
  /** Mounts the merged root, if it is not mounted, and returns its path. @throws {EngineError} notFound */
  mount(key: string): Promise<string>;
  /** Unmounts the merged root, if it is mounted. */
  unmount(key: string): Promise<void>;
  /** The writable directory: what `layer.pack` reads. */
  upperDirectory(key: string): string;
  /** What changed against the layers, in path order; reads the writable directory only. */
  changes(key: string, options?: { readonly signal?: AbortSignal }): Promise<readonly SnapshotChange[]>;
  /** Bytes in the writable directory. */
  usageBytes(key: string): Promise<number>;
  /** Unmounts and removes; nothing happens when there is no such snapshot. */
  remove(key: string): Promise<void>;
  walk(): AsyncIterable<SnapshotInfo>;
}
