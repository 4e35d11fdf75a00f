import { readdirSync, readFileSync } from 'node:fs';
import { isErrorCode } from '../base/errors.ts';
import { readProcessState, reapChild } from '../host/pidfd.ts';

const CHECK_MS = 1000;

/**
 * Reaps the dead orphans that a dead monitor left to the engine, which is a subreaper too. The engine has children of its own,
 * so only zombies are taken that nobody has waited for between two looks, and none that `isSpared`.
 */
export class StrangerReaper {
  readonly #isSpared: (pid: number) => boolean;
  #seen: ReadonlySet<number> = new Set();
  #timer: NodeJS.Timeout | undefined;

  constructor(isSpared: (pid: number) => boolean) {
    this.#isSpared = isSpared;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#look(), CHECK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const zombies = children().filter((pid) => readProcessState(pid)?.state === 'Z' && !this.#isSpared(pid));
    for (const pid of zombies) if (this.#seen.has(pid)) reapChild(pid);
    this.#seen = new Set(zombies);
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
