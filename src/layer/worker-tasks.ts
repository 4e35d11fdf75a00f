/** What the main thread asks of a layer worker, and what it answers. */
import type { ErrorKind } from '../base/errors.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { LayerHeader } from './layer-file.ts';
import type { LayerCompression, LowerLayer } from './layer-store.ts';

/** Unpacks a blob into a new file at `target`. */
export interface ImportTask {
  readonly kind: 'import';
  readonly diffId: Digest;
  readonly source: string;
  readonly target: string;
}

/** Makes a layer file at `target` and a compressed blob at `blob` of an upper directory. */
export interface PackTask {
  readonly kind: 'pack';
  readonly upperDirectory: string;
  readonly compression: LayerCompression;
  readonly target: string;
  readonly blob: string;
}

/** Makes the variant of a layer for the chain below it at `target`. */
export interface VariantTask {
  readonly kind: 'variant';
  readonly layer: string;
  /** Bottom first. */
  readonly lowers: readonly LowerLayer[];
  readonly target: string;
  /** Sixteen bytes, hexadecimal. */
  readonly uuid: string;
}

/** Expands a layer file or variant into a directory at `target`, which does not exist. */
export interface ExpandTask {
  readonly kind: 'expand';
  readonly file: string;
  readonly devices: readonly string[];
  readonly target: string;
}

export type LayerTask = ImportTask | PackTask | VariantTask | ExpandTask;

/** What the tasks return. */
export interface TaskResults {
  readonly import: { readonly header: LayerHeader; readonly usageBytes: number };
  readonly pack: {
    readonly header: LayerHeader;
    readonly usageBytes: number;
    readonly blobDigest: Digest;
    readonly blobSizeBytes: number;
  };
  readonly variant: { readonly devices: readonly string[] };
  readonly expand: undefined;
}

/** Sent to a worker. `cancel` holds one number, not 0 when the task is to stop. */
export interface TaskMessage {
  readonly task: LayerTask;
  readonly cancel: SharedArrayBuffer;
}

/** Sent by a worker: any number of `progress`, then one of the others. */
export type WorkerMessage =
  | { readonly type: 'progress'; readonly bytes: number }
  | { readonly type: 'done'; readonly result: unknown }
  | { readonly type: 'failed'; readonly error: SentError };

/** An error on its way between threads. */
export interface SentError {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly mismatch?: { readonly expected: string; readonly actual: string };
}
