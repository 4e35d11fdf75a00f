import { EngineError } from '../base/errors.ts';
import type { ByteSource } from '../base/streams.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { Cancellable, PushOutcome, Source, Target } from '../graph/graph.ts';
import type { ContentStore, Ingest } from './content-store.ts';
import { DigestMismatchError } from './digest-mismatch-error.ts';

/**
 * A content store as the source or target of `copyGraph`. Copies that run at the same time and need the same digest share one
 * transfer: it goes on from where it is with another copy's source when the first one fails or is cancelled.
 */
export class ContentGraph implements Pick<Source, 'fetch'>, Pick<Target, 'has' | 'push'> {
  readonly #store: ContentStore;
  readonly #transfers = new Map<Digest, SharedTransfer>();

  constructor(store: ContentStore) {
    this.#store = store;
  }

  async fetch(descriptor: Descriptor, options: Cancellable & { readonly offset?: number } = {}): Promise<ByteSource> {
    if (!(await this.#store.find(descriptor.digest))) {
      throw new EngineError('notFound', `content ${descriptor.digest} not found`);
    }
    return readFrom(this.#store, descriptor.digest, options.offset ?? 0, options.signal);
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    const present = await this.#store.find(descriptor.digest);
    if (present && present.sizeBytes !== descriptor.size) {
      throw new DigestMismatchError(descriptor.digest, 'size', descriptor.size, present.sizeBytes);
    }
    return present !== undefined;
  }

  /**
   * @throws {DigestMismatchError} when the bytes are not what the descriptor says, also after a second try from the start;
   * nothing is kept of them then.
   */
  async push(
    descriptor: Descriptor,
    open: (offset: number) => Promise<ByteSource>,
    options: Cancellable & { readonly onBytes?: (totalBytes: number) => void } = {},
  ): Promise<PushOutcome> {
    const { digest } = descriptor;
    let transfer = this.#transfers.get(digest);
    if (!transfer || transfer.descriptor.size !== descriptor.size) {
      transfer = new SharedTransfer(this.#store, descriptor, () => {
        if (this.#transfers.get(digest) === transfer) this.#transfers.delete(digest);
      });
      this.#transfers.set(digest, transfer);
    }
    await transfer.join({ open, signal: options.signal, onBytes: options.onBytes });
    return { kind: 'pushed' };
  }
}

async function* readFrom(
  store: ContentStore,
  digest: Digest,
  start: number,
  signal: AbortSignal | undefined,
): ByteSource {
  await using blob = await store.open(digest, { start });
  for await (const chunk of blob) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

interface Participant {
  readonly open: (offset: number) => Promise<ByteSource>;
  readonly signal: AbortSignal | undefined;
  readonly onBytes: ((totalBytes: number) => void) | undefined;
}

type Waiting = Participant & PromiseWithResolvers<void>;

/** One digest on its way into the store, for everybody who wants it. */
class SharedTransfer {
  readonly descriptor: Descriptor;
  readonly #store: ContentStore;
  readonly #onEnd: () => void;
  readonly #waiting: Waiting[] = [];
  #running = false;

  constructor(store: ContentStore, descriptor: Descriptor, onEnd: () => void) {
    this.#store = store;
    this.descriptor = descriptor;
    this.#onEnd = onEnd;
  }

  async join(participant: Participant): Promise<void> {
    participant.signal?.throwIfAborted();
    const waiting: Waiting = { ...participant, ...Promise.withResolvers<void>() };
    this.#waiting.push(waiting);
    const leave = (): void => {
      // Who drives the transfer now hears of the cancellation through the stream and leaves there.
      if (this.#waiting[0] === waiting) return;
      const index = this.#waiting.indexOf(waiting);
      if (index > 0) this.#waiting.splice(index, 1);
      waiting.reject(participant.signal?.reason);
    };
    participant.signal?.addEventListener('abort', leave, { once: true });
    try {
      await Promise.all([waiting.promise, this.#running ? undefined : this.#run()]);
    } finally {
      participant.signal?.removeEventListener('abort', leave);
    }
  }

  /** Lets one participant after the other drive the transfer until one succeeds or none is left. */
  async #run(): Promise<void> {
    this.#running = true;
    for (let driver = this.#waiting[0]; driver; driver = this.#waiting[0]) {
      try {
        driver.signal?.throwIfAborted();
        await this.#attempt(driver);
      } catch (error) {
        this.#waiting.shift();
        driver.reject(error);
        continue;
      }
      this.#onEnd();
      for (const waiting of this.#waiting.splice(0)) waiting.resolve();
    }
    this.#onEnd();
  }

  async #attempt(driver: Waiting): Promise<void> {
    try {
      await this.#receive(driver);
    } catch (error) {
      if (!(error instanceof DigestMismatchError)) throw error;
      // A resumed ingest may have held damaged bytes, and a damaged answer may have been an accident.
      await this.#receive(driver);
    }
  }

  async #receive(driver: Waiting): Promise<void> {
    const { digest, size } = this.descriptor;
    await using ingest = await this.#beginAt(digest, size);
    this.#report(ingest.offset);
    if (ingest.offset < size) {
      for await (const chunk of await driver.open(ingest.offset)) {
        driver.signal?.throwIfAborted();
        if (ingest.offset + chunk.length > size) {
          const actual = ingest.offset + chunk.length;
          await ingest.abort();
          throw new DigestMismatchError(digest, 'size', size, `${actual} or more`);
        }
        await ingest.write(chunk);
        this.#report(ingest.offset);
      }
    }
    await ingest.commit({ digest, sizeBytes: size });
  }

  async #beginAt(digest: Digest, size: number): Promise<Ingest> {
    const ingest = await this.#store.begin(`copy ${digest}`);
    if (ingest.offset <= size) return ingest;
    await ingest.abort();
    return this.#store.begin(`copy ${digest}`);
  }

  #report(totalBytes: number): void {
    for (const waiting of this.#waiting) waiting.onBytes?.(totalBytes);
  }
}
