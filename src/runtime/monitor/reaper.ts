import { peekDeadChild, reapChild } from '../../host/pidfd.ts';
import type { ChildExit } from '../../host/pidfd.ts';

const CHECK_MS = 1000;
const REMEMBERED = 1024;
/** Longest time between a container's end and the runtime's: a pid may mean another process later. */
const REMEMBERED_MS = 10_000;

/**
 * Reaps every dead child of this process, those that became its children because it is a subreaper too: a zombie inside a pid
 * namespace keeps the namespace's init from dying. Needs a process without libuv's children.
 */
export class Reaper {
  readonly #waiting: Map<number, (exit: ChildExit) => void> = new Map();
  /** Ends that nobody had asked for: a container's init may die before its pid is known. */
  readonly #recent: Map<number, { readonly exit: ChildExit; readonly time: number }> = new Map();

  constructor() {
    process.on('SIGCHLD', () => this.reap());
    setInterval(() => this.reap(), CHECK_MS);
  }

  /** Calls back with the end of a child, before it is reaped where possible: what the callback writes down survives. */
  watch(pid: number, callback: (exit: ChildExit) => void): void {
    const known = this.#recent.get(pid);
    this.#recent.delete(pid);
    if (known && performance.now() - known.time < REMEMBERED_MS) {
      callback(known.exit);
    } else {
      this.#waiting.set(pid, callback);
      this.reap();
    }
  }

  /** As {@link watch}, for a child that was spawned in this turn of the loop: an end known under its pid is another's. */
  watchSpawned(pid: number, callback: (exit: ChildExit) => void): void {
    this.#recent.delete(pid);
    this.watch(pid, callback);
  }

  reap(): void {
    for (let exit = peekDeadChild(); exit; exit = peekDeadChild()) {
      const callback = this.#waiting.get(exit.pid);
      this.#waiting.delete(exit.pid);
      if (callback) callback(exit);
      else this.#remember(exit);
      reapChild(exit.pid);
    }
  }

  #remember(exit: ChildExit): void {
    this.#recent.delete(exit.pid);
    this.#recent.set(exit.pid, { exit, time: performance.now() });
    const oldest = this.#recent.keys().next();
    if (this.#recent.size > REMEMBERED && oldest.done !== true) this.#recent.delete(oldest.value);
  }
}
