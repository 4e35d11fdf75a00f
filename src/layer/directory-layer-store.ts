import { mkdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { SingleFlight } from '../base/concurrency.ts';
import { isErrorCode } from '../base/errors.ts';
import { ensureDirectory, syncDirectory } from '../base/files.ts';
import { type Digest, encodedOf } from '../formats/oci/digest.ts';
import { removeTree } from '../host/remove-tree.ts';
import type { LayerStoreOptions } from './erofs-layer-store.ts';
import { infoOf, LayerFiles } from './layer-files.ts';
import type {
  ImportOptions,
  LayerCompression,
  LayerInfo,
  LayerReader,
  LayerStore,
  LowerLayer,
  PackedLayer,
} from './layer-store.ts';

/**
 * Opens the layer store below `root` in the form for data roots where EROFS cannot be mounted from a file: each layer file is
 * also expanded into a directory when it is first used in a chain. Reading, checking and exporting are the same in both forms,
 * so a store may be opened in the other form later. It costs the content twice.
 */
export async function openDirectoryLayerStore(
  root: string,
  options: LayerStoreOptions = {},
): Promise<DirectoryLayerStore> {
  const files = await LayerFiles.open(root, options.workers ?? 2);
  await ensureDirectory(path.join(root, 'directories'));
  return new DirectoryLayerStore(files, path.join(root, 'directories'));
}

/** Layers as directories; see {@link openDirectoryLayerStore}. Disposing ends its threads. */
export class DirectoryLayerStore implements LayerStore, AsyncDisposable {
  readonly #files: LayerFiles;
  readonly #directories: string;
  readonly #expansions = new SingleFlight<string>();

  constructor(files: LayerFiles, directories: string) {
    this.#files = files;
    this.#directories = directories;
  }

  async import(diffId: Digest, file: string, options: ImportOptions = {}): Promise<LayerInfo> {
    return infoOf(await this.#files.import(diffId, file, options));
  }

  pack(
    upperDirectory: string,
    options: { readonly compression: LayerCompression; readonly signal?: AbortSignal },
  ): Promise<PackedLayer> {
    return this.#files.pack(upperDirectory, options);
  }

  async find(diffId: Digest): Promise<LayerInfo | undefined> {
    const found = await this.#files.find(diffId);
    return found && infoOf(found);
  }

  open(diffId: Digest): Promise<LayerReader> {
    return this.#files.open(diffId);
  }

  async lowers(diffIds: readonly Digest[]): Promise<readonly LowerLayer[]> {
    const lowers = await this.#files.lowers(diffIds);
    return await Promise.all(
      lowers.map(async ({ name, file, devices }): Promise<LowerLayer> => {
        // Variants lie beside their layer, so that they go with it.
        const owner = path.basename(file).slice(0, 64);
        const directory = path.join(this.#directories, owner.slice(0, 2), owner, name);
        await this.#expansions.run(directory, () => this.#expand(file, devices, directory));
        return { kind: 'directory', name, directory };
      }),
    );
  }

  async rootLayer(diffIds: readonly Digest[]): Promise<Digest | undefined> {
    return (await this.#files.rootLayer(diffIds))?.diffId;
  }

  /** A mounted overlay keeps only the layer file's twin alive, so a layer in use must not be removed in this form. */
  async remove(diffId: Digest): Promise<boolean> {
    const removed = await this.#files.remove(diffId);
    const owner = encodedOf(diffId);
    const doomed = path.join(this.#directories, owner.slice(0, 2), owner);
    const moved = this.#files.temporary('.removed');
    try {
      await rename(doomed, moved);
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) return removed;
      throw error;
    }
    await removeTree(moved);
    return removed;
  }

  walk(): AsyncIterable<LayerInfo> {
    return this.#files.walk();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }

  async #expand(file: string, devices: readonly string[], directory: string): Promise<string> {
    try {
      await stat(directory);
      return directory;
    } catch (error) {
      if (!isErrorCode(error, 'ENOENT')) throw error;
    }
    const target = this.#files.temporary('.directory');
    try {
      await this.#files.workers.run({ kind: 'expand', file, devices, target });
      const folder = path.dirname(directory);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await rename(target, directory);
      for (const parent of [folder, path.dirname(folder), this.#directories]) await syncDirectory(parent);
    } catch (error) {
      await removeTree(target);
      throw error;
    }
    return directory;
  }
}
