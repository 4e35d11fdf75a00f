import koffi from 'koffi';
import type { node } from 'koffi';

/** What a watched descriptor is ready for. `disconnect`: the other end has hung up. */
export interface Readiness {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly disconnect: boolean;
}

/** What to wait for. */
export interface Interest {
  readonly readable?: boolean;
  readonly writable?: boolean;
  readonly disconnect?: boolean;
}

// koffi's handle stops silently when it is garbage-collected, and the callback's closure is no root for it.
const live = new Set<DescriptorWatch>();

/**
 * Calls back on the main loop while a descriptor is ready: level-triggered, so a handler that does not act is called again.
 * Works for pipes, sockets, terminals and pidfds. The open file description becomes non-blocking, for all who share it.
 * Close the watch before its descriptor.
 */
export class DescriptorWatch {
  readonly #handle: node.PollHandle;
  readonly #handler: (ready: Readiness) => void;
  #active = true;
  #closed = false;

  constructor(fd: number, interest: Interest, handler: (ready: Readiness) => void) {
    this.#handler = handler;
    this.#handle = koffi.node.poll(fd, interest, (...parameters: unknown[]) => this.#wake(parameters));
    live.add(this);
  }

  /** Stops calling back until {@link resume}. Idempotent. */
  pause(): void {
    if (this.#closed || !this.#active) return;
    this.#active = false;
    this.#handle.stop();
  }

  /** Calls back again, for `interest`. */
  resume(interest: Interest): void {
    if (this.#closed) return;
    this.#active = true;
    this.#handle.start(interest, (...parameters: unknown[]) => this.#wake(parameters));
  }

  /** Ends the watch for good. Idempotent. The descriptor stays open. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    live.delete(this);
    this.#handle.close();
  }

  /** Lets the process end although this watch is open. */
  unref(): this {
    this.#handle.unref();
    return this;
  }

  /** koffi declares `(events)` and gives `(status, events)`; a status below zero is an error of the poll itself. */
  #wake(parameters: readonly unknown[]): void {
    // koffi opens no callback scope: without an immediate, promises and ticks queued by the handler would wait for the next timer.
    setImmediate(nothing);
    if (this.#closed) return;
    try {
      this.#handler(decodeReadiness(parameters));
    } catch (error) {
      // Thrown here it would vanish in native code; from an immediate it is an ordinary uncaught exception.
      setImmediate(() => {
        throw error;
      });
    }
  }
}

function decodeReadiness(parameters: readonly unknown[]): Readiness {
  const status = parameters.length > 1 ? parameters[0] : 0;
  const events = parameters.at(-1);
  if (status === 0 && typeof events === 'object' && events !== null) return events as Readiness;
  // POLLERR, as of a reset socket: libuv has stopped the poll. The next call on the descriptor tells what is wrong with it.
  return { readable: true, writable: true, disconnect: true };
}

function nothing(): void {
  // Only its scheduling matters.
}
