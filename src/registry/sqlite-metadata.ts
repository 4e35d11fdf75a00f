import type { Clock } from '../base/clock.ts';
import type { Database } from '../db/database.ts';
import type { Migration } from '../db/database.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { reflogMigrations, type ReflogEntry } from '../reflog/reflog.ts';
import type {
  Actor,
  NewManifest,
  Page,
  RegistryMetadata,
  RepositorySummary,
  StoredManifest,
  TagMove,
  UploadRecord,
} from './metadata.ts';
import { problem } from './protocol-error.ts';
import { ensureRepositoryId, findRepositoryId, prepared, registryMigrations, sql } from './schema.ts';
import { SqliteManifests } from './sqlite-manifests.ts';

/** What a database needs to be opened with. */
export const registryMetadataMigrations: readonly Migration[] = [...reflogMigrations, ...registryMigrations];

const blobByDigest = sql
  .selectFrom('repository_blobs')
  .innerJoin('repositories', 'repositories.id', 'repository_blobs.repository_id')
  .select('repository_blobs.size')
  .where('repositories.name', '=', '')
  .where('repository_blobs.digest', '=', '')
  .compile();

/** {@link RegistryMetadata} in SQLite. */
export class SqliteRegistryMetadata implements RegistryMetadata {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #manifests: SqliteManifests;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#manifests = new SqliteManifests(database, clock);
  }

  findManifest(repository: string, digest: Digest): Promise<StoredManifest | undefined> {
    return this.#manifests.findManifest(repository, digest);
  }

  findTagged(repository: string, tag: string): Promise<StoredManifest | undefined> {
    return this.#manifests.findTagged(repository, tag);
  }

  putManifest(repository: string, manifest: NewManifest, move: TagMove): Promise<void> {
    return this.#manifests.putManifest(repository, manifest, move);
  }

  deleteManifest(repository: string, digest: Digest, actor: Actor): Promise<boolean> {
    return this.#manifests.deleteManifest(repository, digest, actor);
  }

  deleteTag(repository: string, tag: string, actor: Actor): Promise<boolean> {
    return this.#manifests.deleteTag(repository, tag, actor);
  }

  listTags(repository: string, page: Page): Promise<readonly string[] | undefined> {
    return this.#manifests.listTags(repository, page);
  }

  listReferrers(
    repository: string,
    subject: Digest,
    artifactType: string | undefined,
    page: Page,
  ): Promise<readonly Descriptor[]> {
    return this.#manifests.listReferrers(repository, subject, artifactType, page);
  }

  tagHistory(repository: string, tag: string, limit: number): Promise<readonly ReflogEntry[]> {
    return this.#manifests.tagHistory(repository, tag, limit);
  }

  async findBlob(repository: string, digest: Digest): Promise<number | undefined> {
    return this.#database.first(prepared(blobByDigest, [repository, digest]))?.size;
  }

  async linkBlob(repository: string, digest: Digest, sizeBytes: number): Promise<void> {
    this.#link(repository, digest, sizeBytes);
    await this.#database.durable();
  }

  #link(repository: string, digest: Digest, size: number): void {
    this.#database.transaction((transaction) => {
      const repository_id = ensureRepositoryId(transaction, repository, this.#clock.now());
      const row = { repository_id, digest, size };
      transaction.run(
        sql
          .insertInto('repository_blobs')
          .values(row)
          .onConflict((conflict) => conflict.doNothing()),
      );
    });
  }

  async mountBlob(repository: string, digest: Digest, from: string | undefined): Promise<boolean> {
    let query = sql
      .selectFrom('repository_blobs')
      .innerJoin('repositories', 'repositories.id', 'repository_blobs.repository_id')
      .select('repository_blobs.size')
      .where('repository_blobs.digest', '=', digest)
      .limit(1);
    if (from !== undefined) query = query.where('repositories.name', '=', from);
    const found = this.#database.first(query);
    if (!found) return false;
    await this.linkBlob(repository, digest, found.size);
    return true;
  }

  async unlinkBlob(repository: string, digest: Digest): Promise<boolean> {
    const removed = this.#database.transaction((transaction) => {
      const id = findRepositoryId(transaction, repository);
      if (id === undefined) return false;
      const user = transaction.first(
        sql
          .selectFrom('manifest_references')
          .select('parent')
          .where('repository_id', '=', id)
          .where('child', '=', digest)
          .where('kind', '=', 'blob'),
      );
      if (user) throw problem('DENIED', 'blob is needed by a manifest', { manifest: user.parent });
      const query = sql.deleteFrom('repository_blobs').where('repository_id', '=', id).where('digest', '=', digest);
      return transaction.run(query) > 0;
    });
    await this.#database.durable();
    return removed;
  }

  async createUpload(upload: UploadRecord): Promise<void> {
    const row = { ...upload, touched_at: this.#clock.now().toISOString() };
    this.#database.run(sql.insertInto('uploads').values(row));
  }

  async findUpload(repository: string, id: string): Promise<UploadRecord | undefined> {
    const query = sql.selectFrom('uploads').select(['id', 'repository']);
    return this.#database.first(query.where('id', '=', id).where('repository', '=', repository));
  }

  async touchUpload(id: string): Promise<void> {
    const touched_at = this.#clock.now().toISOString();
    this.#database.run(sql.updateTable('uploads').set({ touched_at }).where('id', '=', id));
  }

  async deleteUpload(id: string): Promise<void> {
    this.#database.run(sql.deleteFrom('uploads').where('id', '=', id));
  }

  async listIdleUploads(before: Date): Promise<readonly UploadRecord[]> {
    const query = sql.selectFrom('uploads').select(['id', 'repository']);
    return this.#database.all(query.where('touched_at', '<', before.toISOString()));
  }

  async listRepositories(page: Page): Promise<readonly string[]> {
    let query = this.#nonEmpty().select('name').orderBy('name').limit(page.limit);
    if (page.after !== undefined) query = query.where('name', '>', page.after);
    return this.#database.all(query).map((row) => row.name);
  }

  #nonEmpty() {
    return sql
      .selectFrom('repositories')
      .where((where) =>
        where.exists(
          where.selectFrom('manifests').select('digest').whereRef('manifests.repository_id', '=', 'repositories.id'),
        ),
      );
  }

  async searchRepositories(term: string, limit: number): Promise<readonly RepositorySummary[]> {
    const words = term.toLowerCase().split(/\s+/).filter(Boolean);
    let query = this.#nonEmpty().selectAll();
    for (const word of words) {
      query = query.where((where) => {
        const text = where.fn<string>('lower', [where(where('name', '||', ' '), '||', where.ref('description'))]);
        return where(where.fn<number>('instr', [text, where.val(word)]), '>', 0);
      });
    }
    const rows = this.#database.all(query).map(summary);
    const rank = (found: RepositorySummary): number => {
      const short = found.name.replace(/^library\//, '');
      if (short === term.toLowerCase()) return 0;
      if (short !== found.name) return 1;
      return found.name.startsWith(words[0] ?? '') ? 2 : 3;
    };
    return rows
      .toSorted((a, b) => rank(a) - rank(b) || b.starCount - a.starCount || (a.name < b.name ? -1 : 1))
      .slice(0, limit);
  }

  async findRepository(name: string): Promise<RepositorySummary | undefined> {
    const row = this.#database.first(sql.selectFrom('repositories').selectAll().where('name', '=', name));
    return row && summary(row);
  }

  async describeRepository(name: string, description: string): Promise<void> {
    this.#database.transaction((transaction) => {
      const id = ensureRepositoryId(transaction, name, this.#clock.now());
      transaction.run(sql.updateTable('repositories').set({ description }).where('id', '=', id));
    });
    await this.#database.durable();
  }
}

function summary(row: {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly updated_at: string;
}): RepositorySummary {
  return { name: row.name, description: row.description, starCount: row.star_count, updatedAt: row.updated_at };
}
