import { closeSync, fstatSync, openSync } from 'node:fs';
import { EngineError } from '../base/errors.ts';
import type { ErofsInode } from '../formats/erofs/index-reader.ts';
import { blockBytes } from '../formats/erofs/layout.ts';
import { type LoadedLayer, loadLayer } from './layer-file.ts';

const linkHopsLimit = 40;
const directoryType = 0o040000;
const symlinkType = 0o120000;

/** A layer file or variant with its index in memory; nothing stays open. */
export interface ViewedLayer extends LoadedLayer {
  readonly file: string;
  /** Files of its device table. */
  readonly devices: readonly string[];
}

/** Loads a layer file or variant. @throws {EngineError} dataLoss when it is damaged. */
export function viewLayer(file: string, devices: readonly string[]): ViewedLayer {
  const descriptor = openSync(file, 'r');
  try {
    return { ...loadLayer(descriptor, file), file, devices };
  } finally {
    closeSync(descriptor);
  }
}

/** Returns the file that a unified block lies in, and which block of it that is. */
export function locateBlock(layer: ViewedLayer, block: number): { readonly file: string; readonly block: number } {
  const index = layer.superblock.devices.findIndex(
    ({ startBlock, blocks }) => block >= startBlock && block < startBlock + blocks,
  );
  const device = layer.superblock.devices[index];
  if (!device) return { file: layer.file, block };
  const file = layer.devices[index];
  if (file === undefined) throw new EngineError('dataLoss', `${layer.file} names more devices than are known`);
  return { file, block: block - device.startBlock };
}

/** Blocks of a file, the last perhaps not full. */
export function blocksOfFile(file: string): number {
  const descriptor = openSync(file, 'r');
  try {
    return Math.ceil(fstatSync(descriptor).size / blockBytes);
  } finally {
    closeSync(descriptor);
  }
}

/** What a path of a merged view leads to. */
export interface FoundEntry {
  readonly layer: ViewedLayer;
  readonly inode: ErofsInode;
}

/** A directory of the merged view: the layers' directories of that name, topmost first. */
interface MergedDirectory {
  readonly names: readonly string[];
  readonly parts: readonly FoundEntry[];
}

/** A chain of layers as overlayfs would show it, read from their indexes. */
export class MergedView {
  readonly #root: MergedDirectory;

  /** @param layers topmost first */
  constructor(layers: readonly ViewedLayer[]) {
    this.#root = { names: [], parts: layers.map((layer) => ({ layer, inode: layer.index.root() })) };
  }

  /** Finds a path. Links on the way are followed inside the root, a link at its end is not. */
  find(names: readonly string[]): FoundEntry | undefined {
    const directory = this.#walk(names.slice(0, -1));
    const last = names.at(-1);
    if (last === undefined) return this.#root.parts[0];
    return directory && this.#step(directory, last).found;
  }

  /**
   * Follows a path, links at its end too, and returns the path that it leads to without any link; what does not exist on the
   * way is kept as it is. `undefined` when it passes something that is no directory, or links lead in a circle.
   */
  resolve(names: readonly string[]): readonly string[] | undefined {
    return this.#walk(names)?.names;
  }

  #walk(names: readonly string[]): MergedDirectory | undefined {
    const path = [this.#root];
    const left = names.toReversed();
    let hops = 0;
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === '..') {
        if (path.length > 1) path.pop();
        continue;
      }
      const current = path.at(-1) ?? this.#root;
      const { found, directory } = this.#step(current, name);
      if (!found) path.push({ names: [...current.names, name], parts: [] });
      else if (directory) path.push(directory);
      else if ((found.inode.mode & 0o170000) === symlinkType) {
        if (++hops > linkHopsLimit) return undefined;
        const target = found.layer.index.linkTarget(found.inode);
        if (target.startsWith('/')) path.splice(1);
        left.push(
          ...target
            .split('/')
            .filter((part) => part !== '' && part !== '.')
            .toReversed(),
        );
      } else return undefined;
    }
    return path.at(-1);
  }

  #step(current: MergedDirectory, name: string): { readonly found?: FoundEntry; readonly directory?: MergedDirectory } {
    const parts: FoundEntry[] = [];
    for (const { layer, inode } of current.parts) {
      const entry = layer.index.find(inode, name);
      if (!entry) continue;
      const child = layer.index.inode(entry.nid);
      if ((child.mode & 0o170000) !== directoryType) {
        if (parts.length > 0 || isWhiteout(child)) break;
        return { found: { layer, inode: child } };
      }
      parts.push({ layer, inode: child });
      if (isOpaqueDirectory(layer, child)) break;
    }
    const [found] = parts;
    return found ? { found, directory: { names: [...current.names, name], parts } } : {};
  }
}

/** Whether an inode hides what lower layers have of its name. */
export function isWhiteout(inode: ErofsInode): boolean {
  return (inode.mode & 0o170000) === 0o020000 && inode.device?.major === 0 && inode.device.minor === 0;
}

/** Whether a directory hides what lower layers have in it. */
export function isOpaqueDirectory(layer: LoadedLayer, inode: ErofsInode): boolean {
  return layer.index.xattrs(inode.nid)?.get('trusted.overlay.opaque')?.toString('latin1') === 'y';
}
