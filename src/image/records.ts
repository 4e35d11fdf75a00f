/**
 * The images of an engine. An image is a manifest or an index, known by its digest; names point at it through the reflog. An
 * image whose last name went stays, nameless, until it is deleted.
 *
 * ```
 * images  digest | media_type | size | document (JSON of the rest of the record)
 * edges   "image:DIGEST" → every blob and layer of it that this engine keeps
 * ```
 */
import { EngineError } from '../base/errors.ts';
import type { Database, Migration, QueryRunner } from '../db/database.ts';
import { queryBuilder } from '../db/query.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { tryParseDigest, type Digest } from '../formats/oci/digest.ts';
import type { Platform } from '../formats/oci/platform.ts';
import {
  canonicalName,
  formatFamiliar,
  formatReference,
  parseReference,
  withDefaultTag,
  type Reference,
} from '../formats/oci/reference.ts';
import { addEdges, dropOwner, type Edge } from '../gc/references.ts';
import { findName, listNames, moveName, namesOf, type Move } from '../reflog/reflog.ts';
import { parseRevision, resolveRevision } from '../reflog/revision.ts';

/** What is kept of an image. */
export interface ImageRecord {
  /** The manifest or index that its names point at. */
  readonly descriptor: Descriptor;
  /** The manifest for this machine's platform (or the one asked for). */
  readonly manifest: Descriptor;
  readonly configDigest: Digest;
  readonly platform: Platform;
  /** RFC 3339; empty when the image does not say. */
  readonly created: string;
  readonly diffIds: readonly Digest[];
  readonly labels: Readonly<Record<string, string>>;
  /** Of all blobs. */
  readonly contentSizeBytes: number;
  /** Of the unpacked layers on disk. */
  readonly unpackedSizeBytes: number;
  /** The image a commit or build started from. */
  readonly parent?: Digest;
}

/** An image with its names, canonical, in order. */
export interface NamedImage extends ImageRecord {
  readonly names: readonly string[];
}

interface ImageTables {
  images: { digest: string; media_type: string; size: number; document: string };
}

/** The table of this folder. */
export const imageMigrations: readonly Migration[] = [
  {
    id: 'images-1',
    sql: `CREATE TABLE images (digest TEXT PRIMARY KEY, media_type TEXT NOT NULL, size INTEGER NOT NULL, document TEXT NOT NULL)
            STRICT, WITHOUT ROWID`,
  },
];

const sql = queryBuilder<ImageTables>();

/** The name of an image as owner of content. */
export function imageOwner(digest: Digest): string {
  return `image:${digest}`;
}

/** A move of a name, without what the store fills in. */
export type NameMove = Pick<Move, 'verb' | 'actor' | 'time' | 'message' | 'expect'>;

/** Images and their names; see the head of this file. */
export class ImageStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** All images, newest first. */
  list(): readonly NamedImage[] {
    const names = Map.groupBy(listNames(this.#database), ({ descriptor }) => descriptor.digest);
    return this.#database
      .all(sql.selectFrom('images').selectAll())
      .map((row) => ({ ...recordOf(row), names: (names.get(row.digest as Digest) ?? []).map(({ name }) => name) }))
      .toSorted((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : 0));
  }

  /** Returns by the digest of its manifest or index. */
  find(digest: Digest): NamedImage | undefined {
    const row = this.#database.first(sql.selectFrom('images').selectAll().where('digest', '=', digest));
    return row && { ...recordOf(row), names: namesOf(this.#database, digest) };
  }

  /**
   * Finds what a person means: a name with tag or digest, a version of a name (`name~1`, `name@{2}`), a digest of manifest, index
   * or config, or an unambiguous beginning of one. `reference` is set when it was found by name.
   *
   * @throws {EngineError} notFound in docker's words; invalidArgument for what is no name.
   */
  resolve(text: string): { readonly image: NamedImage; readonly reference?: Reference } {
    const digest = tryParseDigest(text) ?? tryParseDigest(`sha256:${text}`);
    if (digest !== undefined) {
      const image = this.find(digest) ?? this.#findByConfig(digest);
      if (image) return { image };
      throw new EngineError('notFound', `No such image: ${text}`);
    }
    const { name, revision } = parseRevision(text);
    const reference = withDefaultTag(parseReference(name));
    const named = this.#findNamed(reference, revision);
    if (named) return { image: named, reference };
    const byPrefix = this.#findByPrefix(text.replace(/^sha256:/, ''));
    if (byPrefix) return { image: byPrefix };
    throw new EngineError('notFound', `No such image: ${formatFamiliar(reference)}`);
  }

  #findNamed(reference: Reference, revision: ReturnType<typeof parseRevision>['revision']): NamedImage | undefined {
    const canonical = formatReference(reference);
    if (revision.kind !== 'present') return this.find(resolveRevision(this.#database, canonical, revision).digest);
    const present = findName(this.#database, canonical);
    if (present) return this.find(present.descriptor.digest);
    // `name@digest` names an image of that repository, whatever the tag.
    if (reference.digest === undefined) return undefined;
    const image = this.find(reference.digest);
    const repository = canonicalName(reference);
    return image?.names.some((known) => canonicalName(parseReference(known)) === repository) ? image : undefined;
  }

  #findByConfig(digest: Digest): NamedImage | undefined {
    return this.list().find((image) => image.configDigest === digest || image.manifest.digest === digest);
  }

  #findByPrefix(prefix: string): NamedImage | undefined {
    if (!/^[0-9a-f]{2,64}$/.test(prefix)) return undefined;
    const begins = (digest: Digest): boolean => digest.startsWith(`sha256:${prefix}`);
    const all = this.list();
    const byDigest = all.filter((image) => begins(image.descriptor.digest));
    const matches =
      byDigest.length > 0
        ? byDigest
        : all.filter((image) => begins(image.configDigest) || begins(image.manifest.digest));
    if (matches.length > 1) throw new EngineError('invalidArgument', `ambiguous reference: ${prefix}`);
    return matches[0];
  }

  /**
   * Records an image with the content it needs, and moves a name to it; durable when it settles.
   *
   * @throws {EngineError} conflict when the move's expectation does not hold.
   */
  async put(
    record: ImageRecord,
    needs: readonly Edge[],
    name?: { readonly reference: Reference } & NameMove,
  ): Promise<void> {
    const { descriptor, ...rest } = record;
    const document = JSON.stringify(rest);
    this.#database.transaction((tx) => {
      tx.run(
        sql
          .insertInto('images')
          .values({ digest: descriptor.digest, media_type: descriptor.mediaType, size: descriptor.size, document })
          .onConflict((conflict) => conflict.column('digest').doUpdateSet({ document })),
      );
      addEdges(tx, imageOwner(descriptor.digest), needs);
      if (name) this.#move(tx, name.reference, record, name);
    });
    await this.#database.durable();
  }

  #move(tx: QueryRunner, reference: Reference, record: ImageRecord | undefined, move: NameMove): void {
    const { verb, actor, time, message, expect } = move;
    moveName(tx, {
      name: formatReference(reference),
      verb,
      actor,
      time,
      ...(record ? { descriptor: record.descriptor } : {}),
      ...(message === undefined ? {} : { message }),
      ...(expect === undefined ? {} : { expect }),
    });
  }

  /** Points a name at an image that is there, durably. @throws {EngineError} conflict */
  async tag(image: ImageRecord, reference: Reference, move: NameMove): Promise<void> {
    this.#database.transaction((tx) => this.#move(tx, reference, image, move));
    await this.#database.durable();
  }

  /** Takes names away from whatever they point at, durably. The image stays. */
  async untag(references: readonly Reference[], move: NameMove): Promise<void> {
    this.#database.transaction((tx) => {
      for (const reference of references) this.#move(tx, reference, undefined, move);
    });
    await this.#database.durable();
  }

  /** Takes an image away with all its names, durably; returns the content that nobody needs any more. */
  async remove(digest: Digest, move: NameMove): Promise<readonly Edge[]> {
    const orphans = this.#database.transaction((tx) => {
      for (const name of namesOf(tx, digest)) this.#move(tx, parseReference(name), undefined, move);
      tx.run(sql.deleteFrom('images').where('digest', '=', digest));
      return [...dropOwner(tx, imageOwner(digest))];
    });
    await this.#database.durable();
    return orphans;
  }

  /** When a name of the image was last moved; undefined for a nameless one. */
  lastTagTime(image: NamedImage): string | undefined {
    return image.names
      .map((name) => findName(this.#database, name)?.movedAt ?? '')
      .toSorted()
      .at(-1);
  }
}

function recordOf(row: ImageTables['images']): ImageRecord {
  const descriptor = { mediaType: row.media_type, digest: row.digest as Digest, size: row.size };
  return { ...(JSON.parse(row.document) as Omit<ImageRecord, 'descriptor'>), descriptor };
}
