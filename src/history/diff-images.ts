import { createHash } from 'node:crypto';
import type { Digest } from '../formats/oci/digest.ts';
import type { LayerEntry, LayerStore } from '../layer/layer-store.ts';
import { ImageTree, type TreeEntry } from './image-tree.ts';

/** In what a path of two images differs. */
export type Difference = 'type' | 'content' | 'mode' | 'owner' | 'link' | 'xattrs' | 'device';

/** One path that is not the same in two images. Modification times alone make no difference. */
export interface ImageChange {
  /** With a leading slash, bytes that are no UTF-8 as U+FFFD. */
  readonly path: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly what: readonly Difference[];
}

/**
 * Compares the merged root file systems of two images, in path order. Layers that both share at the bottom are skipped; files of
 * different layers are compared by size first and by content then.
 *
 * @throws {EngineError} notFound naming a missing layer.
 */
export async function diffImages(
  layers: LayerStore,
  from: readonly Digest[],
  to: readonly Digest[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<readonly ImageChange[]> {
  await using before = await ImageTree.open(layers, from);
  await using after = await ImageTree.open(layers, to);
  const changes: ImageChange[] = [];
  const paths = [...new Set([...before.entries.keys(), ...after.entries.keys()])].toSorted((a, b) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
  for (const path of paths) {
    options.signal?.throwIfAborted();
    const [old, fresh] = [before.entries.get(path), after.entries.get(path)];
    if (!old) changes.push({ path: shown(path), change: 'added', what: [] });
    else if (!fresh) changes.push({ path: shown(path), change: 'removed', what: [] });
    else if (old.diffId !== fresh.diffId) {
      const what = await differences(old, fresh);
      if (what.length > 0) changes.push({ path: shown(path), change: 'changed', what });
    }
  }
  return changes;
}

function shown(path: string): string {
  return `/${Buffer.from(path, 'latin1').toString('utf8')}`;
}

async function differences(before: TreeEntry, after: TreeEntry): Promise<readonly Difference[]> {
  const [old, fresh] = [before.entry, after.entry];
  if (old.type !== fresh.type) return ['type'];
  const found: Difference[] = [];
  if (old.type === 'file' && !(await hasSameContent(before, after))) found.push('content');
  if (old.mode !== fresh.mode && old.type !== 'symlink') found.push('mode');
  if (old.uid !== fresh.uid || old.gid !== fresh.gid) found.push('owner');
  if (old.linkTarget !== fresh.linkTarget) found.push('link');
  if (old.device?.major !== fresh.device?.major || old.device?.minor !== fresh.device?.minor) found.push('device');
  if (!hasSameXattrs(old, fresh)) found.push('xattrs');
  return found;
}

async function hasSameContent(before: TreeEntry, after: TreeEntry): Promise<boolean> {
  if (before.entry.sizeBytes !== after.entry.sizeBytes) return false;
  if (before.entry.sizeBytes === 0) return true;
  const [old, fresh] = await Promise.all([before, after].map(hashOf));
  return old === fresh;
}

async function hashOf({ reader, entry }: TreeEntry): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of reader.read(entry)) hash.update(bytes);
  return hash.digest('hex');
}

function hasSameXattrs(a: LayerEntry, b: LayerEntry): boolean {
  const [old, fresh] = [a.xattrs ?? new Map<string, Buffer>(), b.xattrs ?? new Map<string, Buffer>()];
  return old.size === fresh.size && [...old].every(([name, value]) => fresh.get(name)?.equals(value) ?? false);
}
