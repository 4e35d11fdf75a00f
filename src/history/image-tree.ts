import type { Digest } from '../formats/oci/digest.ts';
import type { LayerEntry, LayerReader, LayerStore } from '../layer/layer-store.ts';

/** A path of an image's merged root, with the layer it comes from. */
export interface TreeEntry {
  readonly entry: LayerEntry;
  readonly diffId: Digest;
  readonly reader: LayerReader;
}

/** An image's merged root file system, by path; read from the layers' indexes, without a mount. Dispose it after use. */
export class ImageTree implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly entries: ReadonlyMap<string, TreeEntry>;

  private constructor(stack: AsyncDisposableStack, entries: ReadonlyMap<string, TreeEntry>) {
    this.#stack = stack;
    this.entries = entries;
  }

  /** Merges layers, bottom first (OCI image-spec, layer.md, Whiteouts). @throws {EngineError} notFound naming a missing layer */
  static async open(layers: LayerStore, diffIds: readonly Digest[]): Promise<ImageTree> {
    await using stack = new AsyncDisposableStack();
    const entries = new Map<string, TreeEntry>();
    for (const diffId of diffIds) {
      const reader = stack.use(await layers.open(diffId));
      const own = [...reader.entries()];
      // What a layer hides is hidden in the layers below only, whatever the order of its entries.
      for (const entry of own) hide(entries, entry);
      for (const entry of own)
        if (!entry.whiteout && entry.path !== '') entries.set(entry.path, { entry, diffId, reader });
    }
    return new ImageTree(stack.move(), entries);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function hide(entries: Map<string, TreeEntry>, entry: LayerEntry): void {
  const before = entries.get(entry.path);
  const replacesDirectory = before?.entry.type === 'directory' && entry.type !== 'directory';
  if (entry.whiteout) entries.delete(entry.path);
  if (!entry.whiteout && !entry.opaque && !replacesDirectory) return;
  if (entry.whiteout && before?.entry.type !== 'directory') return;
  const prefix = entry.path === '' ? '' : `${entry.path}/`;
  for (const path of entries.keys()) if (path.startsWith(prefix)) entries.delete(path);
}
