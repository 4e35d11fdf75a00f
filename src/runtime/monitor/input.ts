import { closeDescriptor } from '../../host/descriptor.ts';
import { writeBytes } from '../../host/pipe.ts';
import { DescriptorWatch } from '../../host/poll.ts';

const MAX_QUEUED_BYTES = 64 * 1024;

/** The writing end of a process's stdin (or its terminal), written to as fast as the process reads. */
export class InputPipe {
  readonly fd: number;
  readonly #watch: DescriptorWatch;
  readonly #onTaken: () => void;
  #queue: { bytes: Buffer; readonly taken: (count: number) => void }[] = [];
  #queuedBytes = 0;
  #endWhenTaken: (() => void) | undefined;
  #closed = false;

  /** `fd` is this object's to close. `onTaken` is called when there is room again. */
  constructor(fd: number, onTaken: () => void) {
    this.fd = fd;
    this.#onTaken = onTaken;
    this.#watch = new DescriptorWatch(fd, { writable: true }, () => this.#flush());
    this.#watch.pause();
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get isFull(): boolean {
    return this.#queuedBytes >= MAX_QUEUED_BYTES;
  }

  /** Queues bytes; `taken` tells how many went into the pipe. What a finished process does not read counts as taken. */
  write(bytes: Buffer, taken: (count: number) => void): void {
    if (this.#closed || this.#endWhenTaken) {
      taken(bytes.length);
      return;
    }
    this.#queue.push({ bytes: Buffer.from(bytes), taken });
    this.#queuedBytes += bytes.length;
    this.#flush();
  }

  /** Closes the pipe once everything queued was taken, then calls back. */
  end(closed: () => void): void {
    if (this.#closed || this.#endWhenTaken) return;
    this.#endWhenTaken = closed;
    this.#flush();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    closeDescriptor(this.fd);
    const dropped = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { bytes, taken } of dropped) taken(bytes.length);
    this.#endWhenTaken?.();
  }

  #flush(): void {
    for (;;) {
      const first = this.#queue[0];
      if (!first) break;
      const count = writeBytes(this.fd, first.bytes, first.bytes.length);
      if (count === 'end') {
        this.close();
        return;
      }
      if (count === 'again') {
        this.#watch.resume({ writable: true });
        return;
      }
      this.#queuedBytes -= count;
      if (count === first.bytes.length) this.#queue.shift();
      else first.bytes = first.bytes.subarray(count);
      first.taken(count);
    }
    this.#watch.pause();
    if (this.#endWhenTaken) this.close();
    else this.#onTaken();
  }
}
