/**
 * The files of a layer store, common to both of its forms. Everything is written in `temporary/`, flushed, renamed and its
 * folder flushed, so a name outside of it stands for something whole; what a crash leaves in `temporary/` goes at the next start.
 *
 *   ROOT/layers/<2 hex>/<diffID hex>.layer                    layer file (see layer-file.ts)
 *   ROOT/layers/<2 hex>/<diffID hex>.<chainID hex>.variant    its index for one chain below it
 *   ROOT/directories/<2 hex>/<name>/                          directory form only: the same, expanded
 *   ROOT/temporary/                                           being written
 */
import { randomBytes } from 'node:crypto';

import { chmod, mkdir, open, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { SingleFlight } from '../base/concurrency.ts';
import { EngineError, isErrorCode } from '../base/errors.ts';
import { ensureDirectory, renameDurably, syncDirectory } from '../base/files.ts';
import { chainIdOf, type Digest, digestFromHash, digestOf, encodedOf } from '../formats/oci/digest.ts';
import { mediaTypes } from '../formats/oci/media-types.ts';
import { removeTree } from '../host/remove-tree.ts';
import { type LayerHeader, readLayerHead } from './layer-file.ts';
import { openLayerFile } from './layer-file-reader.ts';
import type {
  ImportOptions,
  LayerCompression,
  LayerInfo,
  LayerReader,
  LowerLayer,
  PackedLayer,
} from './layer-store.ts';
import { SharedImports } from './shared-imports.ts';
import { LayerWorkers } from './worker-pool.ts';

/** What is remembered of a layer file. */
export interface LayerFacts extends LayerInfo {
  readonly header: LayerHeader;
  readonly file: string;
}

type ErofsLower = Extract<LowerLayer, { kind: 'erofs' }>;

const packedTypes: Readonly<Record<LayerCompression, string>> = {
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
  none: mediaTypes.ociLayer,
};

/** See the head of this file. */
export class LayerFiles implements AsyncDisposable {
  readonly workers: LayerWorkers;
  readonly #root: string;
  readonly #known = new Map<Digest, LayerFacts>();
  readonly #imports = new SharedImports<LayerFacts>();
  readonly #variants = new SingleFlight<ErofsLower>();

  private constructor(root: string, workers: number) {
    this.#root = root;
    this.workers = new LayerWorkers(workers);
  }

  /** Opens the files below `root`, and clears away what a crash left. */
  static async open(root: string, workers: number): Promise<LayerFiles> {
    await ensureDirectory(path.join(root, 'layers'));
    await removeTree(path.join(root, 'temporary'));
    await ensureDirectory(path.join(root, 'temporary'));
    await syncDirectory(root);
    return new LayerFiles(root, workers);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.workers[Symbol.asyncDispose]();
  }

  /** A name below `temporary/` that is not used yet. */
  temporary(suffix: string): string {
    return path.join(this.#root, 'temporary', `${randomBytes(8).toString('hex')}${suffix}`);
  }

  async import(diffId: Digest, file: string, options: ImportOptions): Promise<LayerFacts> {
    const present = await this.find(diffId);
    if (present) return present;
    return await this.#imports.run(diffId, options, async (shared) => {
      const temporary = this.temporary('.layer');
      try {
        const { header, usageBytes } = await this.workers.run(
          { kind: 'import', diffId, source: file, target: temporary },
          shared,
        );
        return await this.#keep(temporary, header, usageBytes);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
  }

  async pack(
    upperDirectory: string,
    options: { readonly compression: LayerCompression; readonly signal?: AbortSignal },
  ): Promise<PackedLayer> {
    const target = this.temporary('.layer');
    const blob = this.temporary('.blob');
    try {
      const { compression, signal } = options;
      const packed = await this.workers.run({ kind: 'pack', upperDirectory, compression, target, blob }, { signal });
      const [{ diffId, tarSizeBytes, usageBytes }] = await Promise.all([
        this.#keep(target, packed.header, packed.usageBytes),
        syncFile(blob),
      ]);
      const { blobDigest: digest, blobSizeBytes: sizeBytes } = packed;
      const mediaType = packedTypes[compression];
      return { diffId, tarSizeBytes, usageBytes, blob: { file: blob, digest, sizeBytes, mediaType } };
    } catch (error) {
      await rm(target, { force: true });
      await rm(blob, { force: true });
      throw error;
    }
  }

  async find(diffId: Digest): Promise<LayerFacts | undefined> {
    const known = this.#known.get(diffId);
    if (known) return known;
    const file = this.#fileOf(diffId);
    try {
      await using handle = await open(file, 'r');
      const { header } = readLayerHead(handle.fd, file);
      return this.#remember(file, header, (await handle.stat()).size);
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async open(diffId: Digest): Promise<LayerReader> {
    try {
      return await openLayerFile(this.#fileOf(diffId));
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) throw notFound(diffId);
      throw error;
    }
  }

  /** What makes a chain, bottom first: layer files, or variants of them. Layers that an opaque root hides are left out. */
  async lowers(diffIds: readonly Digest[]): Promise<readonly ErofsLower[]> {
    const layers = await Promise.all(diffIds.map((diffId) => this.get(diffId)));
    let lowers: ErofsLower[] = [];
    for (const [index, layer] of layers.entries()) {
      const { hasImplied, hasLowerLinks, isRootOpaque } = layer.header;
      if (isRootOpaque) lowers = [];
      const needsVariant = hasLowerLinks || (hasImplied && lowers.length > 0);
      lowers.push(
        needsVariant
          ? await this.#variant(layer, diffIds.slice(0, index + 1), lowers)
          : { kind: 'erofs', name: encodedOf(layer.diffId), file: layer.file, devices: [] },
      );
    }
    return lowers;
  }

  /** The topmost layer of a chain that lists the root directory. */
  async rootLayer(diffIds: readonly Digest[]): Promise<LayerFacts | undefined> {
    const layers = await Promise.all(diffIds.map((diffId) => this.get(diffId)));
    return layers.findLast((layer) => layer.header.isRootListed);
  }

  /** @throws {EngineError} notFound */
  async get(diffId: Digest): Promise<LayerFacts> {
    const found = await this.find(diffId);
    if (!found) throw notFound(diffId);
    return found;
  }

  async remove(diffId: Digest): Promise<boolean> {
    const file = this.#fileOf(diffId);
    const folder = path.dirname(file);
    this.#known.delete(diffId);
    try {
      await unlink(file);
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) return false;
      throw error;
    }
    for (const name of await readdir(folder)) {
      if (name.startsWith(`${encodedOf(diffId)}.`)) await rm(path.join(folder, name), { force: true });
    }
    await syncDirectory(folder);
    return true;
  }

  async *walk(): AsyncIterable<LayerInfo> {
    for (const folder of await readdir(path.join(this.#root, 'layers'))) {
      for (const name of await readdir(path.join(this.#root, 'layers', folder))) {
        const match = /^([0-9a-f]{64})\.layer$/.exec(name);
        const found = match && (await this.find(digestFromHash(match[1] ?? '')));
        if (found) yield infoOf(found);
      }
    }
  }

  async #variant(layer: LayerFacts, chain: readonly Digest[], lowers: readonly ErofsLower[]): Promise<ErofsLower> {
    const chainId = encodedOf(chainIdOf(chain) ?? layer.diffId);
    const file = layer.file.replace(/\.layer$/, `.${chainId}.variant`);
    return await this.#variants.run(file, async () => {
      const name = `${chainId}-variant`;
      const devicesFile = `${file.slice(0, -'.variant'.length)}.devices`;
      const present = await readDevices(devicesFile, file);
      if (present) return { kind: 'erofs', name, file, devices: present.map((device) => this.#resolve(device)) };
      const target = this.temporary('.variant');
      try {
        const uuid = encodedOf(digestOf(`variant ${chainId}`)).slice(0, 32);
        const { devices } = await this.workers.run({ kind: 'variant', layer: layer.file, lowers, target, uuid });
        await syncFile(target);
        const list = this.temporary('.devices');
        await writeAndSync(list, devices.map((device) => path.relative(this.#root, device)).join('\n'));
        await rename(list, devicesFile);
        await renameDurably(target, file);
        return { kind: 'erofs', name, file, devices };
      } catch (error) {
        await rm(target, { force: true });
        throw error;
      }
    });
  }

  #resolve(device: string): string {
    return path.join(this.#root, device);
  }

  /** Makes a finished temporary file the layer file of its diffID. */
  async #keep(temporary: string, header: LayerHeader, usageBytes: number): Promise<LayerFacts> {
    const file = this.#fileOf(header.diffId);
    await syncFile(temporary);
    await chmod(temporary, 0o444);
    const folder = path.dirname(file);
    if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined)
      await syncDirectory(path.dirname(folder));
    await renameDurably(temporary, file);
    return this.#remember(file, header, usageBytes);
  }

  #remember(file: string, header: LayerHeader, usageBytes: number): LayerFacts {
    const { diffId, tarSizeBytes } = header;
    const facts = { diffId, tarSizeBytes, usageBytes, header, file };
    this.#known.set(diffId, facts);
    return facts;
  }

  #fileOf(diffId: Digest): string {
    const encoded = encodedOf(diffId);
    return path.join(this.#root, 'layers', encoded.slice(0, 2), `${encoded}.layer`);
  }
}

/** The part of the facts that the interface shows. */
export function infoOf({ diffId, tarSizeBytes, usageBytes }: LayerInfo): LayerInfo {
  return { diffId, tarSizeBytes, usageBytes };
}

function notFound(diffId: Digest): EngineError {
  return new EngineError('notFound', `layer ${diffId} is not unpacked here`);
}

async function readDevices(devicesFile: string, variantFile: string): Promise<readonly string[] | undefined> {
  try {
    await stat(variantFile);
    await using handle = await open(devicesFile, 'r');
    return (await handle.readFile('utf8')).split('\n').filter((line) => line !== '');
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function syncFile(file: string): Promise<void> {
  await using handle = await open(file, 'r');
  await handle.sync();
}

async function writeAndSync(file: string, content: string): Promise<void> {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(content);
  await handle.sync();
}
