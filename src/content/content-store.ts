/**
 * Blobs by digest. A blob is written through an {@link Ingest}, which nobody sees until `commit`; from then on it is immutable
 * until `delete`. An ingest that is disposed without commit can be taken up again under its id, also by another process; a
 * resumed one re-reads what it holds at commit. What `commit` acknowledged survives a power loss.
 */
import type { ByteSource } from '../base/streams.ts';
import type { Digest } from '../formats/oci/digest.ts';

/** What the store knows of a blob. */
export interface BlobInfo {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** An open blob, or the part of it that was asked for. Reading the whole to its end verifies nothing: `commit` did. */
export interface BlobHandle extends AsyncDisposable, ByteSource {
  readonly digest: Digest;
  /** Of the whole blob. */
  readonly sizeBytes: number;
  /**
   * Gives the same bytes to `sink`, one chunk after the other, with less garbage than iterating: a chunk's memory is used again
   * once `sink` has settled.
   */
  copyTo(sink: (chunk: Uint8Array) => Promise<void>): Promise<void>;
}

/** Content on its way in. Dispose keeps it resumable; `abort` removes it. */
export interface Ingest extends AsyncDisposable {
  /** Bytes held so far; the next `write` lands here. */
  readonly offset: number;
  /** Appends bytes; the promise settles when more may be written. The ingest keeps `bytes`: do not change them afterwards. */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Makes the content visible, durably. Committing a blob that is there already is no error.
   *
   * @throws {DigestMismatchError} when digest or size differ; the ingest is gone then.
   */
  commit(expected: { readonly digest: Digest; readonly sizeBytes?: number }): Promise<BlobInfo>;
  /** Removes the ingest. */
  abort(): Promise<void>;
}

/** A part of a blob: `end` is exclusive and defaults to the blob's end. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

/** Blobs by digest; see the head of this file. */
export interface ContentStore {
  find(digest: Digest): Promise<BlobInfo | undefined>;
  /** @throws {EngineError} notFound */
  open(digest: Digest, range?: ByteRange): Promise<BlobHandle>;
  /** @throws {EngineError} conflict when the ingest is held by somebody else in this process. */
  begin(ingestId: string): Promise<Ingest>;
  /** Returns whether there was such a blob. */
  delete(digest: Digest): Promise<boolean>;
  walk(): AsyncIterable<BlobInfo>;
}
