/**
 * Names and their history. Every move of a name is an event that is never changed; the present value of a name is the value of
 * its last event, kept beside for reading. `move` is called within the transaction of the change it tells of, so that a name
 * and its history cannot part.
 *
 * ```
 * reflog  seq | name | time | actor | verb | old_digest | new_digest | media_type | size | message
 * names   name → digest, media_type, size, seq of its last event
 * ```
 */
import { EngineError } from '../base/errors.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { Migration, QueryRunner } from '../db/database.ts';
import { queryBuilder } from '../db/query.ts';

/** What moved a name. */
export type MoveVerb =
  'pull' | 'build' | 'commit' | 'tag' | 'push' | 'import' | 'load' | 'rollback' | 'untag' | 'delete';

/** A name's present value. */
export interface NameRecord {
  readonly name: string;
  readonly descriptor: Descriptor;
  /** Of its last move. */
  readonly sequence: number;
  readonly movedAt: string;
}

/** One move of a name. */
export interface ReflogEntry {
  readonly sequence: number;
  readonly name: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly actor: string;
  readonly verb: MoveVerb;
  readonly oldDigest?: Digest;
  /** Absent when the name was removed. */
  readonly newDigest?: Digest;
  readonly mediaType?: string;
  readonly sizeBytes?: number;
  readonly message: string;
}

/** A move to be made. */
export interface Move {
  readonly name: string;
  /** The new value; absent to remove the name. */
  readonly descriptor?: Descriptor;
  readonly verb: MoveVerb;
  readonly actor: string;
  readonly time: Date;
  readonly message?: string;
  /** The value the name must have now: a digest, or `'none'`. Without it any will do. */
  readonly expect?: Digest | 'none';
}

interface ReflogTables {
  reflog: {
    seq: number;
    name: string;
    time: string;
    actor: string;
    verb: string;
    old_digest: string | null;
    new_digest: string | null;
    media_type: string | null;
    size: number | null;
    message: string;
  };
  names: { name: string; digest: string; media_type: string; size: number; seq: number; time: string };
}

/** The tables of this folder. */
export const reflogMigrations: readonly Migration[] = [
  {
    id: 'reflog-1',
    sql: `
      CREATE TABLE reflog (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, time TEXT NOT NULL, actor TEXT NOT NULL, verb TEXT NOT NULL,
        old_digest TEXT, new_digest TEXT, media_type TEXT, size INTEGER, message TEXT NOT NULL
      ) STRICT;
      CREATE INDEX reflog_name ON reflog (name, seq);
      CREATE INDEX reflog_new_digest ON reflog (new_digest);
      CREATE TABLE names (
        name TEXT PRIMARY KEY, digest TEXT NOT NULL, media_type TEXT NOT NULL, size INTEGER NOT NULL, seq INTEGER NOT NULL,
        time TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX names_digest ON names (digest);`,
  },
];

const sql = queryBuilder<ReflogTables>();

/**
 * Makes a move and records it. A move to the value the name has already is recorded too, unless it is a `pull`.
 *
 * @throws {EngineError} conflict when `expect` does not hold.
 */
export function moveName(transaction: QueryRunner, move: Move): void {
  const present = transaction.first(sql.selectFrom('names').selectAll().where('name', '=', move.name));
  if (move.expect !== undefined && (present?.digest ?? 'none') !== move.expect) {
    throw new EngineError('conflict', `${move.name} is ${present?.digest ?? 'absent'}, expected ${move.expect}`);
  }
  if (move.verb === 'pull' && present?.digest === move.descriptor?.digest) return;
  if (!present && !move.descriptor) return;
  const time = move.time.toISOString();
  const inserted = transaction.first(
    sql
      .insertInto('reflog')
      .values({
        name: move.name,
        time,
        actor: move.actor,
        verb: move.verb,
        old_digest: present?.digest ?? null,
        new_digest: move.descriptor?.digest ?? null,
        media_type: move.descriptor?.mediaType ?? null,
        size: move.descriptor?.size ?? null,
        message: move.message ?? '',
      } as ReflogTables['reflog'])
      .returning('seq'),
  );
  if (!move.descriptor) {
    transaction.run(sql.deleteFrom('names').where('name', '=', move.name));
    return;
  }
  const { digest, mediaType, size } = move.descriptor;
  const head = { digest, media_type: mediaType, size, seq: inserted?.seq ?? 0, time };
  transaction.run(
    sql
      .insertInto('names')
      .values({ name: move.name, ...head })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(head)),
  );
}

/** Returns a name's present value. */
export function findName(runner: QueryRunner, name: string): NameRecord | undefined {
  const row = runner.first(sql.selectFrom('names').selectAll().where('name', '=', name));
  return row && nameRecord(row);
}

/**
 * Returns all names with their values, in the order of their bytes; only those that begin with `prefix`, come behind `after`,
 * and no more than `limit`.
 */
export function listNames(
  runner: QueryRunner,
  prefix = '',
  page: { readonly after?: string; readonly limit?: number } = {},
): readonly NameRecord[] {
  let query = sql.selectFrom('names').selectAll().orderBy('name');
  // U+10FFFF is above every character a name can hold.
  if (prefix !== '') query = query.where('name', '>=', prefix).where('name', '<', `${prefix}\u{10FFFF}`);
  if (page.after !== undefined) query = query.where('name', '>', page.after);
  return runner.all(page.limit === undefined ? query : query.limit(page.limit)).map(nameRecord);
}

/** Returns the names that have this value now. */
export function namesOf(runner: QueryRunner, digest: Digest): readonly string[] {
  return runner
    .all(sql.selectFrom('names').select('name').where('digest', '=', digest).orderBy('name'))
    .map((row) => row.name);
}

/** Returns the moves of a name, newest first. */
export function listMoves(
  runner: QueryRunner,
  name: string,
  options: { readonly limit?: number } = {},
): readonly ReflogEntry[] {
  const query = sql.selectFrom('reflog').selectAll().where('name', '=', name).orderBy('seq', 'desc');
  return runner.all(options.limit === undefined ? query : query.limit(options.limit)).map(reflogEntry);
}

function nameRecord(row: ReflogTables['names']): NameRecord {
  const descriptor = { mediaType: row.media_type, digest: row.digest as Digest, size: row.size };
  return { name: row.name, descriptor, sequence: row.seq, movedAt: row.time };
}

function reflogEntry(row: ReflogTables['reflog']): ReflogEntry {
  return {
    sequence: row.seq,
    name: row.name,
    time: row.time,
    actor: row.actor,
    verb: row.verb as MoveVerb,
    ...(row.old_digest === null ? {} : { oldDigest: row.old_digest as Digest }),
    ...(row.new_digest === null ? {} : { newDigest: row.new_digest as Digest }),
    ...(row.media_type === null ? {} : { mediaType: row.media_type }),
    ...(row.size === null ? {} : { sizeBytes: row.size }),
    message: row.message,
  };
}
