import type { Database } from '../db/database.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { isNeeded, type Edge } from '../gc/references.ts';
import type { ImageContext } from './context.ts';

/** Removes content that nobody needs and nobody holds. Safe beside writers: what they bring is held until it has an owner. */
export async function collectContent(
  context: Pick<ImageContext, 'content' | 'layers' | 'holds'>,
  database: Database,
  orphans: readonly Edge[],
): Promise<void> {
  for (const orphan of orphans) {
    const digest = orphan.target as Digest;
    await context.holds.remove(
      orphan,
      () => isNeeded(database, orphan),
      () => (orphan.kind === 'blob' ? context.content.delete(digest) : context.layers.remove(digest)),
    );
  }
}

/**
 * At start, before anything is served: removes blobs and layers without owner. What a cut pull has brought stays while
 * `keepBlob` says so, to be taken up again.
 */
export async function collectUnowned(
  context: Pick<ImageContext, 'content' | 'layers' | 'holds'>,
  database: Database,
  keepBlob: (digest: Digest) => Promise<boolean>,
): Promise<void> {
  const unowned: Edge[] = [];
  for await (const { digest } of context.content.walk()) {
    const edge = { kind: 'blob', target: digest } as const;
    if (!isNeeded(database, edge) && !(await keepBlob(digest))) unowned.push(edge);
  }
  for await (const { diffId } of context.layers.walk()) {
    const edge = { kind: 'layer', target: diffId } as const;
    if (!isNeeded(database, edge)) unowned.push(edge);
  }
  await collectContent(context, database, unowned);
}
