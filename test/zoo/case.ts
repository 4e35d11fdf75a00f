import type { TreeDigestOptions } from '../../tools/tree-digest.ts';

/** An image of odd layers that must come out as umoci unpacks them. */
export interface ZooCase {
  readonly name: string;
  /** Bottom first: the blobs. */
  readonly layers: readonly Buffer[];
  /** The tars in them, where a blob is not just gzip of it. */
  readonly tars?: readonly Buffer[];
  /** Where umoci is of no help, the lines (without root) that are expected; they may be only the beginnings of lines. */
  readonly lines?: readonly string[];
  /** Not in the directory form, because the file system below it cannot hold it. */
  readonly erofsOnly?: boolean;
  /** What the comparison leaves out, and `reason` why. */
  readonly ignore?: TreeDigestOptions & { readonly reason: string };
}

/** A layer that must be refused, leaving nothing. */
export interface HostileCase {
  readonly name: string;
  readonly blob: Buffer;
  /** The diffID that the image states, if the blob cannot even be decompressed. */
  readonly tar?: Buffer;
  readonly message: RegExp;
  /** Refused when a chain is made of it, not at import. */
  readonly late?: boolean;
}
