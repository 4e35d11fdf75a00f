import type { Digest } from '../formats/oci/digest.ts';
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

/** How a layer store is opened. */
export interface LayerStoreOptions {
  /** Threads that unpack and pack; 2 unless told. */
  readonly workers?: number;
}

/** Opens the layer store below `root`, whose layers are mounted as EROFS from their files. */
export async function openErofsLayerStore(root: string, options: LayerStoreOptions = {}): Promise<ErofsLayerStore> {
  return new ErofsLayerStore(await LayerFiles.open(root, options.workers ?? 2));
}

/** Layers as files that the kernel mounts. Disposing ends its threads. */
export class ErofsLayerStore implements LayerStore, AsyncDisposable {
  readonly #files: LayerFiles;

  constructor(files: LayerFiles) {
    this.#files = files;
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

  lowers(diffIds: readonly Digest[]): Promise<readonly LowerLayer[]> {
    return this.#files.lowers(diffIds);
  }

  async rootLayer(diffIds: readonly Digest[]): Promise<Digest | undefined> {
    return (await this.#files.rootLayer(diffIds))?.diffId;
  }

  remove(diffId: Digest): Promise<boolean> {
    return this.#files.remove(diffId);
  }

  walk(): AsyncIterable<LayerInfo> {
    return this.#files.walk();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }
}
