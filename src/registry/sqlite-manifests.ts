import type { Clock } from '../base/clock.ts';
import { EngineError } from '../base/errors.ts';
import type { Database, QueryRunner } from '../db/database.ts';
import { parseDescriptor, type Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { isIndexType, isManifestType } from '../formats/oci/media-types.ts';
import { findName, listMoves, listNames, moveName, namesOf, type ReflogEntry } from '../reflog/reflog.ts';
import type { Actor, ManifestStore, NewManifest, Page, StoredManifest, TagMove } from './metadata.ts';
import { problem, ProtocolError, type ProtocolProblem } from './protocol-error.ts';
import { ensureRepositoryId, findRepositoryId, prepared, sql } from './schema.ts';

const manifestByDigest = sql
  .selectFrom('manifests')
  .innerJoin('repositories', 'repositories.id', 'manifests.repository_id')
  .select(['manifests.digest', 'manifests.media_type', 'manifests.content'])
  .where('repositories.name', '=', '')
  .where('manifests.digest', '=', '')
  .compile();

/** {@link ManifestStore} in SQLite. */
export class SqliteManifests implements ManifestStore {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  async findManifest(repository: string, digest: Digest): Promise<StoredManifest | undefined> {
    const row = this.#database.first(prepared(manifestByDigest, [repository, digest]));
    return row && { digest, mediaType: row.media_type, content: row.content };
  }

  async findTagged(repository: string, tag: string): Promise<StoredManifest | undefined> {
    const name = findName(this.#database, `${repository}:${tag}`);
    return name && this.findManifest(repository, name.descriptor.digest);
  }

  async putManifest(repository: string, manifest: NewManifest, move: TagMove): Promise<void> {
    this.#database.transaction((transaction) => {
      const now = this.#clock.now();
      const id = ensureRepositoryId(transaction, repository, now);
      checkParts(transaction, id, manifest);
      insertManifest(transaction, id, manifest);
      const descriptor = { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.content.length };
      for (const tag of move.tags) moveTag(transaction, `${repository}:${tag}`, descriptor, move, now);
      transaction.run(sql.updateTable('repositories').set({ updated_at: now.toISOString() }).where('id', '=', id));
    });
    await this.#database.durable();
  }

  async deleteManifest(repository: string, digest: Digest, actor: Actor): Promise<boolean> {
    const deleted = this.#database.transaction((transaction) => {
      const id = findRepositoryId(transaction, repository);
      if (id === undefined) return false;
      const parent = transaction.first(
        sql
          .selectFrom('manifest_references')
          .select('parent')
          .where('repository_id', '=', id)
          .where('child', '=', digest)
          .where('kind', '=', 'manifest'),
      );
      if (parent) throw problem('DENIED', 'manifest is listed by an index', { index: parent.parent });
      const time = this.#clock.now();
      for (const name of namesOf(transaction, digest)) {
        if (!name.startsWith(`${repository}:`)) continue;
        moveName(transaction, { name, verb: 'delete', actor: actor.name, time });
      }
      const query = sql.deleteFrom('manifests').where('repository_id', '=', id).where('digest', '=', digest);
      return transaction.run(query) > 0;
    });
    await this.#database.durable();
    return deleted;
  }

  async deleteTag(repository: string, tag: string, actor: Actor): Promise<boolean> {
    const name = `${repository}:${tag}`;
    const deleted = this.#database.transaction((transaction) => {
      if (!findName(transaction, name)) return false;
      moveName(transaction, { name, verb: 'untag', actor: actor.name, time: this.#clock.now() });
      return true;
    });
    await this.#database.durable();
    return deleted;
  }

  async listTags(repository: string, page: Page): Promise<readonly string[] | undefined> {
    const prefix = `${repository}:`;
    const names = listNames(this.#database, prefix, {
      limit: page.limit,
      ...(page.after === undefined ? {} : { after: prefix + page.after }),
    });
    if (names.length === 0 && findRepositoryId(this.#database, repository) === undefined) return undefined;
    return names.map(({ name }) => name.slice(prefix.length));
  }

  async listReferrers(
    repository: string,
    subject: Digest,
    artifactType: string | undefined,
    page: Page,
  ): Promise<readonly Descriptor[]> {
    const id = findRepositoryId(this.#database, repository);
    if (id === undefined) return [];
    let query = sql
      .selectFrom('manifests')
      .select('referrer')
      .where('repository_id', '=', id)
      .where('subject', '=', subject)
      .orderBy('digest')
      .limit(page.limit);
    if (artifactType !== undefined) query = query.where('artifact_type', '=', artifactType);
    if (page.after !== undefined) query = query.where('digest', '>', page.after);
    return this.#database.all(query).map((row) => parseDescriptor(JSON.parse(row.referrer ?? 'null'), 'referrer'));
  }

  async tagHistory(repository: string, tag: string, limit: number): Promise<readonly ReflogEntry[]> {
    return listMoves(this.#database, `${repository}:${tag}`, { limit });
  }
}

function moveTag(transaction: QueryRunner, name: string, descriptor: Descriptor, move: TagMove, time: Date): void {
  const present = findName(transaction, name)?.descriptor.digest;
  // Pushing what is there already is no move.
  if (present === descriptor.digest && move.expect === undefined) return;
  try {
    moveName(transaction, {
      name,
      descriptor,
      verb: 'push',
      actor: move.actor.name,
      time,
      ...(move.expect === undefined ? {} : { expect: move.expect }),
    });
  } catch (error) {
    if (!(error instanceof EngineError) || error.kind !== 'conflict') throw error;
    throw problem(
      'PRECONDITION_FAILED',
      error.message,
      { expected: move.expect, actual: present ?? 'none' },
      { cause: error },
    );
  }
}

/** A manifest never names what the repository lacks; a layer that says where else it is may be missing. */
function checkParts(transaction: QueryRunner, id: number, manifest: NewManifest): void {
  const problems: ProtocolProblem[] = [];
  const check = (descriptor: Descriptor, size: number | undefined): void => {
    if (size === undefined) {
      if ((descriptor.urls ?? []).length > 0) return;
      problems.push({
        code: 'MANIFEST_BLOB_UNKNOWN',
        message: 'manifest references a manifest or blob unknown to the repository',
        detail: { digest: descriptor.digest },
      });
    } else if (size !== descriptor.size) {
      const message = `${descriptor.digest} has ${size} bytes, the manifest says ${descriptor.size}`;
      problems.push({ code: 'MANIFEST_INVALID', message, detail: { digest: descriptor.digest } });
    }
  };
  for (const blob of manifest.blobs) check(blob, blobSize(transaction, id, blob.digest));
  for (const child of manifest.manifests) {
    const isDocument = isManifestType(child.mediaType) || isIndexType(child.mediaType);
    const size = manifestSize(transaction, id, child.digest);
    check(child, size ?? (isDocument ? undefined : blobSize(transaction, id, child.digest)));
  }
  const [first, ...rest] = problems;
  if (first) throw new ProtocolError([first, ...rest]);
}

function blobSize(transaction: QueryRunner, id: number, digest: Digest): number | undefined {
  const query = sql
    .selectFrom('repository_blobs')
    .select('size')
    .where('repository_id', '=', id)
    .where('digest', '=', digest);
  return transaction.first(query)?.size;
}

function manifestSize(transaction: QueryRunner, id: number, digest: Digest): number | undefined {
  const query = sql
    .selectFrom('manifests')
    .select((select) => select.fn<number>('length', ['content']).as('size'))
    .where('repository_id', '=', id)
    .where('digest', '=', digest);
  return transaction.first(query)?.size;
}

function insertManifest(transaction: QueryRunner, id: number, manifest: NewManifest): void {
  const { digest, mediaType, content, subject, referrer } = manifest;
  const row = {
    media_type: mediaType,
    content,
    subject: subject ?? null,
    referrer: referrer ? JSON.stringify(referrer) : null,
    artifact_type: referrer?.artifactType ?? null,
  };
  transaction.run(
    sql
      .insertInto('manifests')
      .values({ repository_id: id, digest, ...row })
      .onConflict((conflict) => conflict.columns(['repository_id', 'digest']).doUpdateSet(row)),
  );
  const references = [
    ...manifest.blobs.map((blob) => ({ child: blob.digest, kind: 'blob' as const })),
    ...manifest.manifests.map((child) => ({ child: child.digest, kind: 'manifest' as const })),
  ];
  for (const reference of references) {
    transaction.run(
      sql
        .insertInto('manifest_references')
        .values({ repository_id: id, parent: digest, ...reference })
        .onConflict((conflict) => conflict.doNothing()),
    );
  }
}
