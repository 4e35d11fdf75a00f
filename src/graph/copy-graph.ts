import { Limiter } from '../base/concurrency.ts';
import { EngineError } from '../base/errors.ts';
import type { ByteSource } from '../base/streams.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { childrenOf } from '../formats/oci/manifest.ts';
import type { Cancellable, Source, Target } from './graph.ts';
import { checkLimits, hasChildren, readNode, type GraphNode, type SelectChildren } from './walk.ts';

/** Where a node of a copy is. `transferring` repeats, at most every tenth of a second; a node ends in one of the last three. */
export type CopyPhase = 'waiting' | 'transferring' | 'verifying' | 'exists' | 'mounted' | 'done';

/** What `onProgress` hears. */
export interface CopyProgress {
  readonly descriptor: Descriptor;
  readonly phase: CopyPhase;
  /** Of `descriptor.size`. */
  readonly currentBytes: number;
  /** The repository that `mounted` content came from. */
  readonly mountedFrom?: string;
}

/** How to copy. */
export interface CopyOptions extends Cancellable {
  readonly select?: SelectChildren;
  /** Transfers at once; 3 by default, as docker's pull. */
  readonly concurrency?: number;
  /** What the target has already is read from here instead of from the source: a target that is a source too. */
  readonly present?: Pick<Source, 'fetch'>;
  readonly onProgress?: (progress: CopyProgress) => void;
  /** Hears of every node that the target now has, children before parents, as soon as it has it. */
  readonly onReady?: (descriptor: Descriptor) => void;
}

/** The end of a copy that gives. */
export type CopySource = Pick<Source, 'fetch'>;
/** The end of a copy that takes. */
export type CopyTarget = Pick<Target, 'has' | 'push'>;

const progressIntervalMs = 100;

/**
 * Copies an image: children before parents, each digest once, skipping what the target has. When it returns the target has
 * everything below `root` that `select` chose. After a failure the other transfers are cancelled and ended before it throws;
 * parts that arrived stay at the target, no parent without its children.
 *
 * @example
 *   await copyGraph(repository, contentGraph, await repository.resolve('latest'), { select: platformSelector(platform) });
 */
export async function copyGraph(
  source: CopySource,
  target: CopyTarget,
  root: Descriptor,
  options: CopyOptions = {},
): Promise<void> {
  await new GraphCopy(source, target, root, options).run();
}

class GraphCopy {
  readonly #source: CopySource;
  readonly #target: CopyTarget;
  readonly #root: Descriptor;
  readonly #options: CopyOptions;
  readonly #limiter: Limiter;
  readonly #nodes = new Map<string, { readonly size: number; readonly copied: Promise<void> }>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;

  constructor(source: CopySource, target: CopyTarget, root: Descriptor, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#root = root;
    this.#options = options;
    this.#limiter = new Limiter(options.concurrency ?? 3);
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
  }

  async run(): Promise<void> {
    try {
      await this.#visit(this.#root, 0);
    } catch (error) {
      this.#stop.abort(error);
      await Promise.allSettled([...this.#nodes.values()].map((node) => node.copied));
      // The first failure is the cause of the others.
      throw this.#options.signal?.aborted ? this.#options.signal.reason : this.#stop.signal.reason;
    }
  }

  /** Copies a node with all below it, once. */
  #visit(descriptor: Descriptor, depth: number): Promise<void> {
    const key = `${descriptor.digest} ${hasChildren(descriptor) ? descriptor.mediaType : ''}`;
    let node = this.#nodes.get(key);
    if (!node) {
      checkLimits(this.#root, depth, this.#nodes.size);
      this.#report(descriptor, 'waiting', 0);
      const copied = this.#copy(descriptor, depth).catch((error: unknown) => {
        this.#stop.abort(error);
        throw error;
      });
      // Its failure is thrown by whoever waits for it, and that may be nobody once another part failed.
      copied.catch(() => undefined);
      node = { size: descriptor.size, copied };
      this.#nodes.set(key, node);
    }
    if (node.size === descriptor.size) return node.copied;
    throw new EngineError(
      'invalidArgument',
      `${descriptor.digest} is listed with two sizes, ${node.size} and ${descriptor.size}`,
    );
  }

  async #copy(descriptor: Descriptor, depth: number): Promise<void> {
    let exists = false;
    const node = await this.#limiter.run(async () => {
      this.#signal.throwIfAborted();
      exists = await this.#target.has(descriptor, { signal: this.#signal });
      if (!hasChildren(descriptor)) {
        if (!exists) await this.#transfer(descriptor, undefined);
        return undefined;
      }
      const from = exists ? (this.#options.present ?? this.#source) : this.#source;
      return readNode(from, descriptor, { signal: this.#signal });
    });
    if (node?.kind === 'document') {
      await this.#copyChildren(node, depth);
      if (!exists) await this.#limiter.run(() => this.#transfer(descriptor, node.content));
    }
    if (exists) this.#report(descriptor, 'exists', descriptor.size);
    this.#options.onReady?.(descriptor);
  }

  async #copyChildren(node: GraphNode & { readonly kind: 'document' }, depth: number): Promise<void> {
    const chosen = await this.#options.select?.(node.descriptor, node.document);
    const children = chosen ?? childrenOf(node.document);
    await Promise.all(children.map(async (child) => this.#visit(child, depth + 1)));
  }

  async #transfer(descriptor: Descriptor, content: Buffer | undefined): Promise<void> {
    this.#signal.throwIfAborted();
    let reportedAt = -Infinity;
    const onBytes = (totalBytes: number): void => {
      const now = performance.now();
      const complete = totalBytes >= descriptor.size;
      if (!complete && now - reportedAt < progressIntervalMs) return;
      reportedAt = now;
      this.#report(descriptor, complete ? 'verifying' : 'transferring', Math.min(totalBytes, descriptor.size));
    };
    const open = (offset: number): Promise<ByteSource> =>
      content
        ? Promise.resolve(bytesFrom(content, offset))
        : this.#source.fetch(descriptor, { offset, signal: this.#signal });
    this.#report(descriptor, 'transferring', 0);
    const outcome = await this.#target.push(descriptor, open, { signal: this.#signal, onBytes });
    if (outcome.kind === 'mounted') this.#report(descriptor, 'mounted', descriptor.size, outcome.from);
    else this.#report(descriptor, 'done', descriptor.size);
  }

  #report(descriptor: Descriptor, phase: CopyPhase, currentBytes: number, mountedFrom?: string): void {
    this.#options.onProgress?.({
      descriptor,
      phase,
      currentBytes,
      ...(mountedFrom === undefined ? {} : { mountedFrom }),
    });
  }
}

async function* bytesFrom(content: Buffer, offset: number): ByteSource {
  if (offset < content.length) yield content.subarray(offset);
}
