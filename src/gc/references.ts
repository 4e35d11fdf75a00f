/**
 * Who needs what. Every record that needs content names it in edges, written in the record's own transaction; content that no
 * edge and no hold names may go. A hold is for content in flight: it lives in memory, since what a crash leaves without edges
 * is collected at the next start.
 *
 * ```
 * edges  owner ("image:sha256:…", "container:ID") | kind ("blob", "layer") | target (digest)
 * ```
 */
import type { Migration, QueryRunner } from '../db/database.ts';
import { queryBuilder } from '../db/query.ts';

/** What can be needed: blobs by digest, unpacked layers by diffID. */
export type ContentKind = 'blob' | 'layer';

/** One thing that is needed. */
export interface Edge {
  readonly kind: ContentKind;
  readonly target: string;
}

interface EdgeTables {
  edges: { owner: string; kind: ContentKind; target: string };
}

/** The table of this folder. */
export const referencesMigrations: readonly Migration[] = [
  {
    id: 'edges-1',
    sql: `
      CREATE TABLE edges (owner TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (owner, kind, target))
        STRICT, WITHOUT ROWID;
      CREATE INDEX edges_target ON edges (kind, target);`,
  },
];

const sql = queryBuilder<EdgeTables>();

/** Adds what an owner needs; what it needs already stays. */
export function addEdges(transaction: QueryRunner, owner: string, edges: readonly Edge[]): void {
  for (const edge of edges) {
    transaction.run(
      sql
        .insertInto('edges')
        .values({ owner, ...edge })
        .onConflict((conflict) => conflict.doNothing()),
    );
  }
}

/** Removes an owner and returns what nobody needs any more. */
export function dropOwner(transaction: QueryRunner, owner: string): readonly Edge[] {
  const edges = transaction.all(sql.selectFrom('edges').select(['kind', 'target']).where('owner', '=', owner));
  transaction.run(sql.deleteFrom('edges').where('owner', '=', owner));
  return edges.filter((edge) => !isNeeded(transaction, edge));
}

/** Whether any owner needs it. */
export function isNeeded(runner: QueryRunner, edge: Edge): boolean {
  const query = sql.selectFrom('edges').select('owner').where('kind', '=', edge.kind).where('target', '=', edge.target);
  return runner.first(query.limit(1)) !== undefined;
}

/** Content in flight: what is held is not collected, whoever asks. */
export class Holds {
  readonly #counts = new Map<string, number>();
  readonly #removals = new Map<string, Promise<void>>();

  /** Starts a hold, empty at first; dispose it to release all it keeps. */
  begin(): Hold {
    const keys: string[] = [];
    return {
      keep: async (...edges) => {
        for (const key of edges.map(keyOf)) {
          keys.push(key);
          this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
        }
        // A removal that began before is waited for: what is found afterwards stays.
        for (const edge of edges) await this.#removals.get(keyOf(edge));
      },
      [Symbol.dispose]: () => {
        for (const key of keys.splice(0)) {
          const count = (this.#counts.get(key) ?? 0) - 1;
          if (count > 0) this.#counts.set(key, count);
          else this.#counts.delete(key);
        }
      },
    };
  }

  /** Removes content unless it is held or `isNeeded`; nobody can start to hold it unnoticed meanwhile. */
  async remove(edge: Edge, isNeededNow: () => boolean, removal: () => Promise<unknown>): Promise<void> {
    const key = keyOf(edge);
    const running = this.#removals.get(key);
    if (running) await running;
    if (this.#counts.has(key) || isNeededNow()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#removals.set(key, promise);
    try {
      await removal();
    } finally {
      this.#removals.delete(key);
      resolve();
    }
  }
}

function keyOf({ kind, target }: Edge): string {
  return `${kind} ${target}`;
}

/** Keeps content from being collected until it is disposed. */
export interface Hold extends Disposable {
  /** Holds at once; settles when no removal of it is under way any more. */
  keep(...edges: readonly Edge[]): Promise<void>;
}
