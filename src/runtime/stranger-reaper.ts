import { readdirSync, readFileSync } from 'node:fs';
import { isErrorCode } from '../base/errors.ts';
import { readProcessState, reapChild } from '../host/pidfd.ts';

const CHECK_MS = 1000;
const SECOND_LOOK_MS = 30;

/**
 * Reaps the dead orphans that a dead monitor left to the engine, which is a subreaper too: as zombies they would keep their
 * container's init from dying. The engine has children of its own, so only zombies are taken that nobody has waited for
 * between two looks, and none that `isSpared`.
 */
export class StrangerReaper {
  readonly #isSpared: (pid: number) => boolean;
  readonly #notice = (): void => this.#lookTwice();
  #timer: NodeJS.Timeout | undefined;
  #secondLook: NodeJS.Timeout | undefined;

  constructor(isSpared: (pid: number) => boolean) {
    this.#isSpared = isSpared;
  }

  /** Idempotent. */
  start(): void {
    if (this.#timer) return;
    this.#timer = setInterval(this.#notice, CHECK_MS).unref();
    process.on('SIGCHLD', this.#notice);
    this.#lookTwice();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#secondLook);
    this.#timer = undefined;
    process.off('SIGCHLD', this.#notice);
  }

  #lookTwice(): void {
    if (this.#secondLook) return;
    const seen = this.#zombies();
    if (seen.length === 0) return;
    this.#secondLook = setTimeout(() => {
      this.#secondLook = undefined;
      for (const pid of this.#zombies()) if (seen.includes(pid)) reapChild(pid);
    }, SECOND_LOOK_MS).unref();
  }

  #zombies(): readonly number[] {
    return children().filter((pid) => readProcessState(pid)?.state === 'Z' && !this.#isSpared(pid));
  }
}

/** Returns the pids of this process's children, of whichever thread. */
function children(): readonly number[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
    } catch (error) {
      // The thread has ended; or the kernel has no such file, and orphans stay until the engine ends.
      if (isErrorCode(error, 'ENOENT', 'ESRCH')) return [];
      throw error;
    }
  });
}
