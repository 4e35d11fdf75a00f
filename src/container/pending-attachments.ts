import { deferred, type Deferred } from '../base/concurrency.ts';
import type { Attachment, AttachRequest } from '../runtime/process-host.ts';

type Output = { readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array };

/**
 * Clients that attached before the program started. The start takes them all: one attachment is made at the process's birth,
 * so that no output is missed, and shared among them. A client that reads slowly holds up the others, as with docker.
 */
export class PendingAttachments {
  readonly #waiting: { readonly request: AttachRequest; readonly settled: Deferred<Attachment | undefined> }[] = [];

  /** Settles at the next start; with `undefined` when the start failed or the container went. */
  join(request: AttachRequest): Promise<Attachment | undefined> {
    const settled = deferred<Attachment | undefined>();
    this.#waiting.push({ request, settled });
    return settled.promise;
  }

  /** What all who wait want together; `undefined` when nobody waits. */
  wanted(): AttachRequest | undefined {
    if (this.#waiting.length === 0) return undefined;
    const any = (stream: keyof AttachRequest): boolean => this.#waiting.some(({ request }) => request[stream]);
    return { stdin: any('stdin'), stdout: any('stdout'), stderr: any('stderr') };
  }

  /** Hands the attachment to those who waited. */
  fulfil(attachment: Attachment): void {
    const waiting = this.#waiting.splice(0);
    const [only] = waiting;
    if (only && waiting.length === 1) return only.settled.resolve(attachment);
    const branches = share(
      attachment,
      waiting.map(({ request }) => request),
    );
    for (const [index, { settled }] of waiting.entries()) settled.resolve(branches[index]);
  }

  /** Tells those who wait that nothing comes. */
  cancel(): void {
    for (const { settled } of this.#waiting.splice(0)) settled.resolve(undefined);
  }
}

/** Gives every request a view of one attachment. The attachment is disposed with the last view. */
function share(attachment: Attachment, requests: readonly AttachRequest[]): readonly Attachment[] {
  const branches = requests.map((request) => new Branch(request));
  void distribute(attachment, branches);
  let open = branches.length;
  return branches.map((branch) => ({
    output: branch,
    write: (bytes: Uint8Array) => attachment.write(bytes),
    endInput: () => attachment.endInput(),
    [Symbol.asyncDispose]: async () => {
      if (!branch.close()) return;
      open--;
      if (open === 0) await attachment[Symbol.asyncDispose]();
    },
  }));
}

async function distribute(attachment: Attachment, branches: readonly Branch[]): Promise<void> {
  try {
    for await (const output of attachment.output) await Promise.all(branches.map((branch) => branch.put(output)));
    for (const branch of branches) branch.end();
  } catch (error) {
    for (const branch of branches) branch.end(error);
  }
}

/** One reader's side of a shared output: the writer waits until the reader has taken a piece. */
class Branch implements AsyncIterable<Output> {
  readonly #request: AttachRequest;
  #piece: { readonly output: Output; readonly taken: Deferred<void> } | undefined;
  #arrival: Deferred<void> = deferred<void>();
  #ended = false;
  #closed = false;
  #error: unknown;

  constructor(request: AttachRequest) {
    this.#request = request;
  }

  async put(output: Output): Promise<void> {
    if (this.#closed || !this.#request[output.stream]) return;
    const taken = deferred<void>();
    this.#piece = { output, taken };
    this.#arrival.resolve();
    await taken.promise;
  }

  end(error?: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#arrival.resolve();
  }

  /** Returns whether it was open. */
  close(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    this.#piece?.taken.resolve();
    this.end();
    return true;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Output> {
    for (;;) {
      await this.#arrival.promise;
      this.#arrival = deferred<void>();
      const piece = this.#piece;
      this.#piece = undefined;
      if (piece) {
        yield piece.output;
        piece.taken.resolve();
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      }
    }
  }
}
