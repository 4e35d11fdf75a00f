/**
 * Snapshots as overlays over layer mounts. What is on disk survives the engine; what is mounted is read from mountinfo, so a
 * restarted engine goes on where the last one ended.
 *
 *   DATA/snapshots/<key>/snapshot.json   chain and options; written before the snapshot gets its name
 *   DATA/snapshots/<key>/upper/          the writable directory
 *   DATA/snapshots/<key>/work/           overlayfs's
 *   DATA/snapshots-temporary/            being made, or being removed
 *   DATA/snapshots-empty/                the lower of a snapshot without layers
 *   MOUNT/layers/<name>/                 one mount per layer (or variant), shared by all snapshots
 *   MOUNT/roots/<key>/                   merged root
 */
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, open, readdir, rename, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { SerialQueue, KeyedQueue } from '../base/concurrency.ts';
import { EngineError, isErrorCode } from '../base/errors.ts';
import { ensureDirectory, readTextIfPresent, syncDirectory } from '../base/files.ts';
import { type Digest, parseDigest } from '../formats/oci/digest.ts';
import { mountErofs, mountOverlay, unmount, unmountFlags } from '../host/mount.ts';
import { type MountInfo, readMounts } from '../host/mountinfo.ts';
import { setTimes } from '../host/nodes.ts';
import { removeTree } from '../host/remove-tree.ts';
import { setXattr } from '../host/xattr.ts';
import type { LayerEntry, LayerStore, LowerLayer } from '../layer/layer-store.ts';
import { listChanges } from './changes.ts';
import type { SnapshotChange, SnapshotInfo, Snapshotter } from './snapshotter.ts';
import { diskUsage } from './usage.ts';

/** The kernel's limit. */
const lowersLimit = 500;

// Redirects and data-only copies would make an upper directory depend on more than itself: `pack` reads it alone.
const overlayOptions = ['xino=auto', 'redirect_dir=nofollow', 'metacopy=off', 'index=off'];

/** Where an {@link OverlaySnapshotter} keeps things. */
export interface OverlaySnapshotterOptions {
  /** On the file system of the data root; any but overlayfs and tmpfs. */
  readonly dataDirectory: string;
  /** Whoever restarts the engine must find this directory's mounts again. */
  readonly mountDirectory: string;
  readonly layers: LayerStore;
}

/** Opens the snapshots below a directory, and clears away what a crash left half made. */
export async function openOverlaySnapshotter(options: OverlaySnapshotterOptions): Promise<OverlaySnapshotter> {
  const { dataDirectory, mountDirectory } = options;
  await ensureDirectory(path.join(dataDirectory, 'snapshots'), 0o711);
  await removeTree(path.join(dataDirectory, 'snapshots-temporary'));
  await ensureDirectory(path.join(dataDirectory, 'snapshots-temporary'));
  for (const name of ['layers', 'roots', 'views']) await ensureDirectory(path.join(mountDirectory, name), 0o711);
  await syncDirectory(dataDirectory);
  const snapshotter = new OverlaySnapshotter(options);
  await snapshotter.discardViews();
  await snapshotter.discardBroken();
  return snapshotter;
}

/** See the head of this file Opened by {@link openOverlaySnapshotter}. */
export class OverlaySnapshotter implements Snapshotter {
  readonly #data: string;
  readonly #mounts: string;
  readonly #layers: LayerStore;
  readonly #queues = new KeyedQueue();
  /** Mounting of layers and their release exclude each other. */
  readonly #layerQueue = new SerialQueue();
  readonly #rootEntries = new Map<Digest, LayerEntry>();

  constructor(options: OverlaySnapshotterOptions) {
    this.#data = options.dataDirectory;
    this.#mounts = options.mountDirectory;
    this.#layers = options.layers;
  }

  prepare(
    key: string,
    diffIds: readonly Digest[],
    options: { readonly volatile?: boolean } = {},
  ): Promise<SnapshotInfo> {
    return this.#queues.run(checkedKey(key), async () => {
      const info: SnapshotInfo = { key, diffIds: [...diffIds], volatile: options.volatile ?? false };
      if (diffIds.length > lowersLimit) {
        throw new EngineError(
          'invalidArgument',
          `snapshot ${key} has ${diffIds.length} layers, the limit is ${lowersLimit}`,
        );
      }
      if ((await this.#read(key)) !== undefined) throw alreadyExists(key);
      // What cannot be made of these layers shows here, not at the first start.
      await this.#layers.lowers(diffIds);
      const root = await this.#rootEntry(diffIds);
      let making = this.#temporary();
      try {
        await mkdir(path.join(making, 'upper'), { recursive: true, mode: 0o755 });
        await mkdir(path.join(making, 'work'), { mode: 0o700 });
        await applyRootAttributes(path.join(making, 'upper'), root);
        await writeInfo(path.join(making, 'snapshot.json'), info);
        await rename(making, this.#directory(key));
        making = this.#directory(key);
        // All at once, which costs one commit of the file system's journal. What a power loss cuts short goes by `discardBroken`.
        const made = [path.join(making, 'snapshot.json'), making, path.join(this.#data, 'snapshots')];
        if (!info.volatile) await Promise.all(made.map(syncDirectory));
      } catch (error) {
        await removeTree(making);
        if (isErrorCode(error, 'ENOTEMPTY', 'EEXIST')) throw alreadyExists(key);
        throw error;
      }
      return info;
    });
  }

  mount(key: string): Promise<string> {
    return this.#queues.run(checkedKey(key), async () => {
      const info = await this.#get(key);
      const target = this.#rootPath(key);
      const upper = this.upperDirectory(key);
      const present = findOverlay(await readMounts(), upper);
      if (present?.mountPoint === target) return target;
      if (present) throw new EngineError('conflict', `snapshot ${key} is mounted at ${present.mountPoint}`);
      await ensureDirectory(target, 0o711);
      const work = path.join(this.#directory(key), 'work');
      // overlayfs leaves a mark in a volatile overlay's work directory, and refuses it when it finds it again.
      if (info.volatile) await removeTree(path.join(work, 'work'));
      const options = [...overlayOptions, ...(info.volatile ? ['volatile'] : [])];
      await this.#withLowers(info.diffIds, (lowers) => mountOverlay({ lowers, upper, work, target, options }));
      return target;
    });
  }

  unmount(key: string): Promise<void> {
    return this.#queues.run(checkedKey(key), () => this.#unmountRoot(key));
  }

  upperDirectory(key: string): string {
    return path.join(this.#directory(checkedKey(key)), 'upper');
  }

  changes(key: string, options: { readonly signal?: AbortSignal } = {}): Promise<readonly SnapshotChange[]> {
    return this.#queues.run(checkedKey(key), async () => {
      const info = await this.#get(key);
      const empty = await this.#empty();
      if (info.diffIds.length === 0) return listChanges(this.upperDirectory(key), empty, options.signal);
      const view = path.join(this.#mounts, 'views', randomBytes(8).toString('hex'));
      await ensureDirectory(view);
      try {
        // A read-only overlay of the layers alone tells what was there before; it needs two lowers.
        await this.#withLowers(info.diffIds, (lowers) =>
          mountOverlay({
            lowers: lowers.length > 1 ? lowers : [empty, ...lowers],
            target: view,
            options: overlayOptions,
          }),
        );
        try {
          return listChanges(this.upperDirectory(key), view, options.signal);
        } finally {
          await unmount(view);
        }
      } finally {
        await rmdir(view);
      }
    });
  }

  async usageBytes(key: string): Promise<number> {
    await this.#get(key);
    return await diskUsage(this.upperDirectory(key));
  }

  remove(key: string): Promise<void> {
    return this.#queues.run(checkedKey(key), async () => {
      await this.#unmountRoot(key);
      const info = await this.#read(key);
      const removing = this.#temporary();
      try {
        await rename(this.#directory(key), removing);
      } catch (error) {
        if (isErrorCode(error, 'ENOENT')) return;
        throw error;
      }
      // A volatile one that a power loss brings back is removed again by whoever keeps the records.
      const gone = info?.volatile === true ? undefined : syncDirectory(path.join(this.#data, 'snapshots'));
      await Promise.all([gone, removeTree(removing)]);
    });
  }

  async *walk(): AsyncIterable<SnapshotInfo> {
    for (const key of await readdir(path.join(this.#data, 'snapshots'))) {
      const info = await this.#read(key);
      if (info) yield info;
    }
  }

  /** Unmounts layers that no mounted snapshot uses; returns how many. For quiet moments: it may take 100 ms a layer. */
  releaseUnusedLayers(): Promise<number> {
    return this.#layerQueue.run(async () => {
      const mounts = await readMounts();
      const used = new Set<string>();
      for (const key of mountedNames(mounts, path.join(this.#mounts, 'roots'))) {
        const info = await this.#read(key);
        const lowers = info ? await this.#layers.lowers(info.diffIds) : [];
        for (const lower of lowers) used.add(lower.name);
      }
      const unused = mountedNames(mounts, path.join(this.#mounts, 'layers')).filter((name) => !used.has(name));
      for (const name of unused) await this.#unmountAt(path.join(this.#mounts, 'layers', name));
      return unused.length;
    });
  }

  /** Unmounts everything below the mount directory: for an engine that stops for good, with its containers. */
  async unmountAll(): Promise<void> {
    for (const { mountPoint } of (await readMounts()).toReversed()) {
      if (mountPoint.startsWith(`${this.#mounts}/`)) await this.#unmountAt(mountPoint);
    }
  }

  /** Takes away views that an engine which was killed has left. */
  async discardViews(): Promise<void> {
    const views = path.join(this.#mounts, 'views');
    for (const name of mountedNames(await readMounts(), views)) await this.#unmountAt(path.join(views, name));
    for (const name of await readdir(views)) await rmdir(path.join(views, name));
  }

  /** Removes snapshots whose record a power loss has destroyed: volatile ones, and those whose making was cut short. */
  async discardBroken(): Promise<void> {
    for (const key of await readdir(path.join(this.#data, 'snapshots'))) {
      if ((await this.#read(key)) === undefined) await this.remove(key);
    }
  }

  /** Makes sure that the layers of a chain are mounted while `use` mounts something over them. */
  async #withLowers(diffIds: readonly Digest[], use: (directories: readonly string[]) => Promise<void>): Promise<void> {
    const lowers = await this.#layers.lowers(diffIds);
    await this.#layerQueue.run(async () => {
      const mounted = new Set(mountedNames(await readMounts(), path.join(this.#mounts, 'layers')));
      const directories: string[] = [];
      for (const lower of lowers) directories.push(await this.#mountLower(lower, mounted));
      await use(directories.length > 0 ? directories : [await this.#empty()]);
    });
  }

  async #mountLower(lower: LowerLayer, mounted: Set<string>): Promise<string> {
    if (lower.kind === 'directory') return lower.directory;
    const target = path.join(this.#mounts, 'layers', lower.name);
    if (mounted.has(lower.name)) return target;
    await ensureDirectory(target, 0o700);
    await mountErofs(lower.file, target, lower.devices);
    mounted.add(lower.name);
    return target;
  }

  async #unmountRoot(key: string): Promise<void> {
    const target = this.#rootPath(key);
    const mounted = (await readMounts()).filter(({ mountPoint }) => mountPoint === target);
    for (const { mountPoint } of mounted) await this.#unmountAt(mountPoint);
  }

  async #unmountAt(target: string): Promise<void> {
    try {
      await unmount(target, unmountFlags.noFollow);
    } catch (error) {
      // Somebody still has a file open in it: it goes when they let go.
      if (!isErrorCode(error, 'EBUSY')) throw error;
      await unmount(target, unmountFlags.noFollow | unmountFlags.detach);
    }
    try {
      await rmdir(target);
    } catch (error) {
      // Another mount may lie below; the directory alone does no harm.
      if (!isErrorCode(error, 'EBUSY', 'ENOTEMPTY')) throw error;
    }
  }

  async #rootEntry(diffIds: readonly Digest[]): Promise<LayerEntry | undefined> {
    const diffId = await this.#layers.rootLayer(diffIds);
    if (diffId === undefined) return undefined;
    const known = this.#rootEntries.get(diffId);
    if (known) return known;
    await using reader = await this.#layers.open(diffId);
    for (const entry of reader.entries()) {
      if (this.#rootEntries.size > 1000) this.#rootEntries.clear();
      this.#rootEntries.set(diffId, entry);
      return entry;
    }
    return undefined;
  }

  async #get(key: string): Promise<SnapshotInfo> {
    const info = await this.#read(key);
    if (!info) throw new EngineError('notFound', `no such snapshot: ${key}`);
    return info;
  }

  async #read(key: string): Promise<SnapshotInfo | undefined> {
    const text = await readTextIfPresent(path.join(this.#directory(key), 'snapshot.json'));
    // A power loss may leave a file's name without its content: empty, or zeros.
    if (text === undefined || text === '' || text.startsWith('\0')) return undefined;
    const { diffIds, volatile } = JSON.parse(text) as { diffIds: string[]; volatile: boolean };
    return { key, diffIds: diffIds.map(parseDigest), volatile };
  }

  #directory(key: string): string {
    return path.join(this.#data, 'snapshots', key);
  }

  #rootPath(key: string): string {
    return path.join(this.#mounts, 'roots', key);
  }

  #empty(): Promise<string> {
    return ensureDirectory(path.join(this.#data, 'snapshots-empty'));
  }

  #temporary(): string {
    return path.join(this.#data, 'snapshots-temporary', randomBytes(8).toString('hex'));
  }
}

function checkedKey(key: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(key)) {
    throw new EngineError('invalidArgument', `invalid snapshot key ${JSON.stringify(key)}`);
  }
  return key;
}

function alreadyExists(key: string): EngineError {
  return new EngineError('alreadyExists', `snapshot ${key} exists already`);
}

function findOverlay(mounts: readonly MountInfo[], upper: string): MountInfo | undefined {
  return mounts.find((entry) => entry.type === 'overlay' && entry.superOptions.includes(`upperdir=${upper}`));
}

/** Names of the directories right below `directory` that something is mounted on. */
function mountedNames(mounts: readonly MountInfo[], directory: string): string[] {
  return mounts
    .map(({ mountPoint }) => mountPoint)
    .filter((mountPoint) => path.dirname(mountPoint) === directory)
    .map((mountPoint) => path.basename(mountPoint));
}

async function writeInfo(file: string, info: SnapshotInfo): Promise<void> {
  await using handle = await open(file, 'wx', 0o600);
  await handle.writeFile(JSON.stringify({ diffIds: info.diffIds, volatile: info.volatile }));
}

/** `/` of an overlay shows the attributes of its upper directory: they must be those of the layers. */
async function applyRootAttributes(upper: string, root: LayerEntry | undefined): Promise<void> {
  if (!root) {
    await chmod(upper, 0o755);
    return;
  }
  await chown(upper, root.uid, root.gid);
  await chmod(upper, root.mode);
  for (const [name, value] of root.xattrs ?? []) {
    if (!name.startsWith('trusted.overlay.')) setXattr(upper, name, value);
  }
  setTimes(upper, root.mtimeSeconds, root.mtimeNanoseconds);
}
