import { EngineError } from '../base/errors.ts';
import type { QueryRunner } from '../db/database.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { findName, listMoves, type ReflogEntry } from './reflog.ts';

/** Which version of a name is meant. */
export type Revision =
  /** `name`: the present one. */
  | { readonly kind: 'present' }
  /** `name~2`: two versions before the present one, following what each version replaced when it was first made. */
  | { readonly kind: 'ancestor'; readonly steps: number }
  /** `name@{2}`: the value two moves ago. */
  | { readonly kind: 'move'; readonly steps: number }
  /** `name@{2026-08-01}`: the value at that time. */
  | { readonly kind: 'time'; readonly time: Date };

/**
 * Splits `name~1`, `name@{2}` or `name@{DATE}` into the name and the revision.
 *
 * @throws {EngineError} invalidArgument when what stands behind the name is neither.
 */
export function parseRevision(text: string): { readonly name: string; readonly revision: Revision } {
  const ancestor = /^(.*?)((?:~\d*)+)$/.exec(text);
  if (ancestor) {
    const steps = (ancestor[2] ?? '')
      .split('~')
      .slice(1)
      .reduce((sum, digits) => sum + (digits === '' ? 1 : Number(digits)), 0);
    return { name: ancestor[1] ?? '', revision: { kind: 'ancestor', steps } };
  }
  const braces = /^(.*)@\{([^}]*)\}$/.exec(text);
  if (!braces) return { name: text, revision: { kind: 'present' } };
  const [, name = '', inside = ''] = braces;
  if (/^\d{1,9}$/.test(inside)) return { name, revision: { kind: 'move', steps: Number(inside) } };
  const time = new Date(inside);
  if (Number.isNaN(time.getTime())) {
    throw new EngineError(
      'invalidArgument',
      `invalid revision ${JSON.stringify(text)}: ${JSON.stringify(inside)} is no number and no date`,
    );
  }
  return { name, revision: { kind: 'time', time } };
}

/**
 * Returns what a name was at a revision.
 *
 * @throws {EngineError} notFound when its history does not reach that far.
 */
export function resolveRevision(runner: QueryRunner, name: string, revision: Revision): Descriptor {
  const missing = (what: string): EngineError => new EngineError('notFound', `${name} has no version ${what}`);
  switch (revision.kind) {
    case 'present': {
      const present = findName(runner, name);
      if (!present) throw missing('now');
      return present.descriptor;
    }
    case 'move': {
      const entry = listMoves(runner, name)[revision.steps];
      return descriptorOf(entry) ?? fail(missing(`${revision.steps} moves ago`));
    }
    case 'time': {
      const at = revision.time.toISOString();
      const entry = listMoves(runner, name).find((candidate) => candidate.time <= at);
      return descriptorOf(entry) ?? fail(missing(`at ${at}`));
    }
    case 'ancestor':
      return (
        ancestorOf(listMoves(runner, name), revision.steps) ?? fail(missing(`${revision.steps} before the present one`))
      );
  }
}

function ancestorOf(newestFirst: readonly ReflogEntry[], steps: number): Descriptor | undefined {
  let digest = newestFirst[0]?.newDigest;
  for (let step = 0; step < steps && digest !== undefined; step++) {
    digest = newestFirst.findLast((entry) => entry.newDigest === digest)?.oldDigest;
  }
  return digest === undefined ? undefined : descriptorOf(newestFirst.find((entry) => entry.newDigest === digest));
}

function descriptorOf(entry: ReflogEntry | undefined): Descriptor | undefined {
  if (entry?.newDigest === undefined || entry.mediaType === undefined) return undefined;
  return { mediaType: entry.mediaType, digest: entry.newDigest, size: entry.sizeBytes ?? 0 };
}

function fail(error: EngineError): never {
  throw error;
}
