/**
 * What the registry knows besides the bytes of blobs. Every change is one transaction and durable when its promise settles.
 * SQLite stands behind it here; the methods are asynchronous so that a database server can.
 */
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { ReflogEntry } from '../reflog/reflog.ts';

/** A part of a list in byte order. */
export interface Page {
  /** Entries behind this one; it need not exist. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A manifest as it was pushed. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly content: Uint8Array;
}

/** A manifest to be kept, checked in itself. */
export interface NewManifest extends StoredManifest {
  readonly blobs: readonly Descriptor[];
  /** Children of an index. */
  readonly manifests: readonly Descriptor[];
  readonly subject?: Digest | undefined;
  /** How it is listed among the referrers of its subject. */
  readonly referrer?: Descriptor | undefined;
}

/** Who did something, for the history. */
export interface Actor {
  readonly name: string;
}

/** A tag that shall move, under a condition. */
export interface TagMove {
  readonly tags: readonly string[];
  readonly actor: Actor;
  /** The digest that the tag must have now, or `none`. */
  readonly expect?: Digest | 'none' | undefined;
}

/** Manifests, tags and their history, by repository. */
export interface ManifestStore {
  findManifest(repository: string, digest: Digest): Promise<StoredManifest | undefined>;
  findTagged(repository: string, tag: string): Promise<StoredManifest | undefined>;
  /**
   * Keeps a manifest and moves tags to it, all or nothing.
   *
   * @throws {ProtocolError} MANIFEST_BLOB_UNKNOWN with every part that the repository lacks, MANIFEST_INVALID when a part has
   * another size, PRECONDITION_FAILED.
   */
  putManifest(repository: string, manifest: NewManifest, move: TagMove): Promise<void>;
  /** Removes a manifest and its tags. Returns whether it was there. @throws {ProtocolError} DENIED while an index lists it. */
  deleteManifest(repository: string, digest: Digest, actor: Actor): Promise<boolean>;
  deleteTag(repository: string, tag: string, actor: Actor): Promise<boolean>;
  /** `undefined` when there is no such repository. */
  listTags(repository: string, page: Page): Promise<readonly string[] | undefined>;
  listReferrers(
    repository: string,
    subject: Digest,
    artifactType: string | undefined,
    page: Page,
  ): Promise<readonly Descriptor[]>;
  /** Newest first. */
  tagHistory(repository: string, tag: string, limit: number): Promise<readonly ReflogEntry[]>;
}

/** Which repository has which blob. */
export interface BlobLinkStore {
  /** Returns the size of a blob that the repository has. */
  findBlob(repository: string, digest: Digest): Promise<number | undefined>;
  linkBlob(repository: string, digest: Digest, sizeBytes: number): Promise<void>;
  /** Links a blob that `from` has, or any of `readable` repositories. Returns whether there was one. */
  mountBlob(repository: string, digest: Digest, from: string | undefined): Promise<boolean>;
  /** Returns whether it was there. @throws {ProtocolError} DENIED while a manifest of the repository needs it. */
  unlinkBlob(repository: string, digest: Digest): Promise<boolean>;
}

/** An upload that has begun. */
export interface UploadRecord {
  readonly id: string;
  readonly repository: string;
}

/** Uploads under way. They live over restarts. */
export interface UploadStore {
  createUpload(upload: UploadRecord): Promise<void>;
  findUpload(repository: string, id: string): Promise<UploadRecord | undefined>;
  /** Says that an upload is in use. */
  touchUpload(id: string): Promise<void>;
  deleteUpload(id: string): Promise<void>;
  listIdleUploads(before: Date): Promise<readonly UploadRecord[]>;
}

/** A repository as lists and searches show it. */
export interface RepositorySummary {
  readonly name: string;
  readonly description: string;
  readonly starCount: number;
  readonly updatedAt: string;
}

/** Repositories that hold at least one manifest. */
export interface RepositoryCatalog {
  listRepositories(page: Page): Promise<readonly string[]>;
  /** Names and descriptions that hold every word of `term`, the best first: equal names, official ones, beginnings, stars. */
  searchRepositories(term: string, limit: number): Promise<readonly RepositorySummary[]>;
  findRepository(name: string): Promise<RepositorySummary | undefined>;
  /** Sets a repository's description, making the repository if need be. */
  describeRepository(name: string, description: string): Promise<void>;
}

/** All of it. */
export interface RegistryMetadata extends ManifestStore, BlobLinkStore, UploadStore, RepositoryCatalog {}
