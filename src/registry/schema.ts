import type { CompiledQuery, Kysely } from 'kysely';
import type { Migration, QueryRunner } from '../db/database.ts';
import { queryBuilder } from '../db/query.ts';

/** The registry's tables; tags are names in `reflog/`: `<repository>:<tag>`. */
export interface RegistryTables {
  repositories: { id: number; name: string; description: string; star_count: number; updated_at: string };
  repository_blobs: { repository_id: number; digest: string; size: number };
  manifests: {
    repository_id: number;
    digest: string;
    media_type: string;
    content: Uint8Array;
    subject: string | null;
    referrer: string | null;
    artifact_type: string | null;
  };
  manifest_references: { repository_id: number; parent: string; child: string; kind: 'blob' | 'manifest' };
  uploads: { id: string; repository: string; touched_at: string };
}

/** The tables of this folder. */
export const registryMigrations: readonly Migration[] = [
  {
    id: 'registry-1',
    sql: `
      CREATE TABLE repositories (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL, star_count INTEGER NOT NULL,
        updated_at TEXT NOT NULL
      ) STRICT;
      CREATE TABLE repository_blobs (
        repository_id INTEGER NOT NULL REFERENCES repositories (id), digest TEXT NOT NULL, size INTEGER NOT NULL,
        PRIMARY KEY (repository_id, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX repository_blobs_digest ON repository_blobs (digest);
      CREATE TABLE manifests (
        repository_id INTEGER NOT NULL REFERENCES repositories (id), digest TEXT NOT NULL, media_type TEXT NOT NULL,
        content BLOB NOT NULL, subject TEXT, referrer TEXT, artifact_type TEXT, PRIMARY KEY (repository_id, digest)
      ) STRICT;
      CREATE INDEX manifests_subject ON manifests (repository_id, subject, digest) WHERE subject IS NOT NULL;
      CREATE TABLE manifest_references (
        repository_id INTEGER NOT NULL, parent TEXT NOT NULL, child TEXT NOT NULL, kind TEXT NOT NULL,
        PRIMARY KEY (repository_id, parent, child, kind),
        FOREIGN KEY (repository_id, parent) REFERENCES manifests (repository_id, digest) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX manifest_references_child ON manifest_references (repository_id, child);
      CREATE TABLE uploads (id TEXT PRIMARY KEY, repository TEXT NOT NULL, touched_at TEXT NOT NULL) STRICT;`,
  },
];

/** Types and compiles queries over {@link RegistryTables}. */
export const sql: Kysely<RegistryTables> = queryBuilder<RegistryTables>();

const repositoryId = sql.selectFrom('repositories').select('id').where('name', '=', '').compile();

/** Returns a query that was compiled once, with the parameters of this call: for those that run on every request. */
export function prepared<Row>(template: CompiledQuery<Row>, parameters: readonly unknown[]): CompiledQuery<Row> {
  return { ...template, parameters };
}

/** Returns the key of a repository. */
export function findRepositoryId(runner: QueryRunner, name: string): number | undefined {
  return runner.first(prepared(repositoryId, [name]))?.id;
}

/** Returns the key of a repository, making it if need be. */
export function ensureRepositoryId(transaction: QueryRunner, name: string, now: Date): number {
  const present = findRepositoryId(transaction, name);
  if (present !== undefined) return present;
  const row = { name, description: '', star_count: 0, updated_at: now.toISOString() } as RegistryTables['repositories'];
  const created = transaction.first(sql.insertInto('repositories').values(row).returning('id'));
  return created?.id ?? 0;
}
