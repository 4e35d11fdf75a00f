/**
 * Expands a layer file into a directory, for data roots where EROFS cannot be mounted. The tree in the index is resolved
 * already (no name climbs, no parent is a link), so making it in an empty directory cannot leave that directory.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  symlinkSync,
} from 'node:fs';
import { EngineError } from '../base/errors.ts';
import type { ErofsInode } from '../formats/erofs/index-reader.ts';
import { blockBytes } from '../formats/erofs/layout.ts';
import { deviceNumber, makeNode, modeType, setTimes, syncFileSystemSync } from '../host/nodes.ts';
import { setXattr } from '../host/xattr.ts';
import { writeAt } from './layer-file-writer.ts';
import { locateBlock, type ViewedLayer, viewLayer } from './merged-view.ts';
import type { ExpandTask } from './worker-tasks.ts';

const copyBytes = 256 * 1024;

/** Makes the directory, and flushes the file system it lies on. */
export function expandLayer(task: ExpandTask, onProgress: (bytes: number) => void): void {
  const layer = viewLayer(task.file, task.devices);
  const expander = new Expander(layer, onProgress);
  try {
    mkdirSync(task.target, { mode: 0o700 });
    expander.expand(Buffer.from(task.target));
  } finally {
    expander.close();
  }
  const descriptor = openSync(task.target, 'r');
  try {
    syncFileSystemSync(descriptor);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

class Expander {
  readonly #layer: ViewedLayer;
  readonly #onProgress: (bytes: number) => void;
  readonly #sources = new Map<string, number>();
  readonly #paths = new Map<number, Buffer>();
  readonly #buffer = Buffer.allocUnsafeSlow(copyBytes);
  #copied = 0;

  constructor(layer: ViewedLayer, onProgress: (bytes: number) => void) {
    this.#layer = layer;
    this.#onProgress = onProgress;
  }

  expand(target: Buffer): void {
    this.#fill(this.#layer.index.root(), target);
  }

  close(): void {
    for (const descriptor of this.#sources.values()) closeSync(descriptor);
  }

  #fill(directory: ErofsInode, path: Buffer): void {
    for (const entry of this.#layer.index.children(directory)) {
      const child = Buffer.concat([path, Buffer.from(`/${entry.name}`, 'latin1')]);
      this.#make(this.#layer.index.inode(entry.nid), child);
    }
    // Last, because making what is inside changes the directory's times.
    this.#setAttributes(directory, path);
  }

  #make(inode: ErofsInode, path: Buffer): void {
    const type = inode.mode & modeType.mask;
    if (type === modeType.directory) {
      mkdirSync(path, { mode: 0o700 });
      this.#fill(inode, path);
      return;
    }
    const first = this.#paths.get(inode.nid);
    if (first) {
      linkSync(first, path);
      return;
    }
    if (inode.linkCount > 1) this.#paths.set(inode.nid, path);
    if (type === modeType.file) this.#copyFile(inode, path);
    else if (type === modeType.symlink) symlinkSync(Buffer.from(this.#layer.index.linkTarget(inode), 'latin1'), path);
    else makeNode(path, type | 0o600, inode.device ? deviceNumber(inode.device.major, inode.device.minor) : 0n);
    this.#setAttributes(inode, path);
  }

  #copyFile(inode: ErofsInode, path: Buffer): void {
    const target = openSync(path, 'wx', 0o600);
    try {
      for (const { offset, length, address } of this.#layer.index.extents(inode)) {
        if (address !== undefined) this.#copyExtent(target, offset, length, address);
      }
      ftruncateSync(target, inode.sizeBytes);
    } finally {
      closeSync(target);
    }
  }

  #copyExtent(target: number, offset: number, length: number, address: number): void {
    const { file, block } = locateBlock(this.#layer, address / blockBytes);
    const source = this.#sourceOf(file);
    for (let done = 0; done < length;) {
      const wanted = Math.min(copyBytes, length - done);
      const count = readSync(source, this.#buffer, 0, wanted, block * blockBytes + done);
      if (count === 0) throw new EngineError('dataLoss', `${file} is cut short`);
      writeAt(target, this.#buffer.subarray(0, count), offset + done);
      done += count;
      this.#copied += count;
    }
    this.#onProgress(this.#copied);
  }

  #sourceOf(file: string): number {
    let descriptor = this.#sources.get(file);
    if (descriptor === undefined) {
      descriptor = openSync(file, 'r');
      this.#sources.set(file, descriptor);
    }
    return descriptor;
  }

  #setAttributes(inode: ErofsInode, path: Buffer): void {
    lchownSync(path, inode.uid, inode.gid);
    // After chown, which clears set-user-ID bits and capabilities.
    if ((inode.mode & modeType.mask) !== modeType.symlink) chmodSync(path, inode.mode & 0o7777);
    for (const [name, value] of this.#layer.index.xattrs(inode.nid) ?? []) setXattr(path, name, value);
    setTimes(path, inode.mtimeSeconds, inode.mtimeNanoseconds);
  }
}
