import { fstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { EngineError } from '../base/errors.ts';
import type { ErofsInode } from '../formats/erofs/index-reader.ts';
import { headBytes, type LoadedLayer, loadLayer } from './layer-file.ts';
import type { LayerEntry, LayerInfo, LayerReader } from './layer-store.ts';
import { isOpaqueDirectory, isWhiteout } from './merged-view.ts';

const readBytes = 1024 * 1024;

const entryTypes: ReadonlyMap<number, LayerEntry['type']> = new Map([
  [0o010000, 'fifo'],
  [0o020000, 'character'],
  [0o040000, 'directory'],
  [0o060000, 'block'],
  [0o100000, 'file'],
  [0o120000, 'symlink'],
]);

/** Opens a layer file. Its index is read at once; the file stays open, so removing the layer does not disturb. */
export async function openLayerFile(file: string): Promise<LayerReader> {
  const handle = await open(file, 'r');
  try {
    return new LayerFileReader(handle, loadLayer(handle.fd, file));
  } catch (error) {
    await handle.close();
    throw error;
  }
}

class LayerFileReader implements LayerReader {
  readonly info: LayerInfo;
  readonly #handle: FileHandle;
  readonly #layer: LoadedLayer;

  constructor(handle: FileHandle, layer: LoadedLayer) {
    const { diffId, tarSizeBytes } = layer.header;
    this.#handle = handle;
    this.#layer = layer;
    this.info = { diffId, tarSizeBytes, usageBytes: fstatSync(handle.fd).size };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  *entries(): Iterable<LayerEntry> {
    const root = this.#layer.index.root();
    yield this.#entry('', root);
    yield* this.#below('', root);
  }

  *#below(prefix: string, directory: ErofsInode): Iterable<LayerEntry> {
    for (const { name, nid } of this.#layer.index.children(directory)) {
      const inode = this.#layer.index.inode(nid);
      const entry = this.#entry(prefix + name, inode);
      yield entry;
      if (entry.type === 'directory') yield* this.#below(`${entry.path}/`, inode);
    }
  }

  #entry(path: string, inode: ErofsInode): LayerEntry {
    const { index } = this.#layer;
    const type = entryTypes.get(inode.mode & 0o170000);
    if (type === undefined)
      throw new EngineError('dataLoss', `layer ${this.info.diffId}: inode ${inode.nid} is damaged`);
    const xattrs = index.xattrs(inode.nid);
    return {
      path,
      type,
      mode: inode.mode & 0o7777,
      uid: inode.uid,
      gid: inode.gid,
      mtimeSeconds: inode.mtimeSeconds,
      mtimeNanoseconds: inode.mtimeNanoseconds,
      sizeBytes: type === 'file' ? inode.sizeBytes : 0,
      ...(type === 'symlink' ? { linkTarget: index.linkTarget(inode) } : {}),
      inode: inode.nid,
      ...(inode.device ? { device: inode.device } : {}),
      ...(xattrs ? { xattrs } : {}),
      whiteout: isWhiteout(inode),
      opaque: type === 'directory' && isOpaqueDirectory(this.#layer, inode),
    };
  }

  async *read(entry: LayerEntry): AsyncIterable<Uint8Array> {
    if (entry.type !== 'file') throw new EngineError('invalidArgument', `${entry.path} is not a file`);
    for (const { length, address } of this.#layer.index.extents(this.#layer.index.inode(entry.inode))) {
      if (address === undefined) yield* zeros(length);
      else yield* this.#range(address, length);
    }
  }

  tar(): AsyncIterable<Uint8Array> {
    return this.#range(headBytes, this.info.tarSizeBytes);
  }

  async *#range(start: number, length: number): AsyncIterable<Uint8Array> {
    for (let done = 0; done < length;) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, length - done));
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, start + done);
      if (bytesRead === 0) throw new EngineError('dataLoss', `layer ${this.info.diffId} is cut short`);
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }
}

function* zeros(length: number): Iterable<Uint8Array> {
  const block = Buffer.alloc(Math.min(length, readBytes));
  for (let left = length; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length));
}
