import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { EngineError, isErrorCode } from '../base/errors.ts';
import { getXattr } from '../host/xattr.ts';
import type { SnapshotChange } from './snapshotter.ts';

/**
 * Compares an overlay's upper directory with a view of the layers below, as `docker diff` does: what is only above is added,
 * whiteouts are deleted, the rest is modified; a directory is listed when its own attributes differ or something in it does.
 * In path order.
 */
export function listChanges(upper: string, view: string, signal?: AbortSignal): readonly SnapshotChange[] {
  const changes: SnapshotChange[] = [];
  collect({ upper: Buffer.from(upper), view: Buffer.from(view), changes, signal }, '', true);
  return changes;
}

interface Comparison {
  readonly upper: Buffer;
  readonly view: Buffer;
  readonly changes: SnapshotChange[];
  readonly signal: AbortSignal | undefined;
}

/** `isBelow`: the directory exists in the layers as one that shows through. Returns whether anything was listed. */
function collect(comparison: Comparison, directory: string, isBelow: boolean): boolean {
  if (comparison.signal?.aborted) throw new EngineError('cancelled', 'listing of changes was cancelled');
  const before = comparison.changes.length;
  const names = readdirSync(at(comparison.upper, directory), { encoding: 'buffer' });
  for (const name of names.toSorted((a, b) => Buffer.compare(a, b))) {
    compare(comparison, `${directory}/${name.toString('latin1')}`, isBelow);
  }
  return comparison.changes.length > before;
}

function compare(comparison: Comparison, path: string, isBelow: boolean): void {
  const above = statusOf(at(comparison.upper, path));
  if (!above) return;
  const below = isBelow ? statusOf(at(comparison.view, path)) : undefined;
  const { changes } = comparison;
  const text = Buffer.from(path, 'latin1').toString('utf8');
  if (above.isCharacterDevice() && above.rdev === 0n) {
    if (below) changes.push({ path: text, kind: 'deleted' });
    return;
  }
  if (!above.isDirectory()) {
    changes.push({ path: text, kind: below ? 'modified' : 'added' });
    return;
  }
  const index = changes.push({ path: text, kind: below ? 'modified' : 'added' }) - 1;
  const isOpaque = getXattr(at(comparison.upper, path), 'trusted.overlay.opaque')?.toString('latin1') === 'y';
  const differs = collect(comparison, path, below !== undefined && below.isDirectory() && !isOpaque);
  if (below?.isDirectory() && !isOpaque && !differs && hasSameAttributes(above, below)) changes.splice(index, 1);
}

function hasSameAttributes(a: BigIntStats, b: BigIntStats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeNs === b.mtimeNs;
}

function at(root: Buffer, path: string): Buffer {
  return Buffer.concat([root, Buffer.from(path, 'latin1')]);
}

function statusOf(path: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    // A container may remove it meanwhile.
    if (isErrorCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
