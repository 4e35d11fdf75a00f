/**
 * An image is a graph of content, and every move of an image (pull, push, save, load, mirror, export) is {@link copyGraph} from
 * a Source to a Target.
 */
import type { ByteSource } from '../base/streams.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';

/** Options of everything that can take long. */
export interface Cancellable {
  readonly signal?: AbortSignal;
}

/** Where content comes from. */
export interface Source {
  /** Turns a tag or digest into a descriptor. @throws {EngineError} notFound */
  resolve(reference: string, options?: Cancellable): Promise<Descriptor>;
  /** Opens content, from `offset` on. @throws {EngineError} notFound */
  fetch(descriptor: Descriptor, options?: Cancellable & { readonly offset?: number }): Promise<ByteSource>;
}

/** Where content goes. */
export interface Target {
  has(descriptor: Descriptor, options?: Cancellable): Promise<boolean>;
  /**
   * Takes content. `open` is called with the offset the target wants to go on from, again after a cut where the target can
   * resume. The target checks digest and size before the content is visible.
   */
  push(
    descriptor: Descriptor,
    open: (offset: number) => Promise<ByteSource>,
    options?: Cancellable & { readonly onBytes?: (totalBytes: number) => void },
  ): Promise<PushOutcome>;
  /** Gives content a name. */
  tag(descriptor: Descriptor, reference: string, options?: Cancellable): Promise<void>;
}

/** How a blob arrived at its target; `mounted` names the repository it was taken from without a transfer. */
export type PushOutcome = { readonly kind: 'pushed' } | { readonly kind: 'mounted'; readonly from: string };
