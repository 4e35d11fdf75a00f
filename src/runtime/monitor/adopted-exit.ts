import { setTimeout as delay } from 'node:timers/promises';
import { exitOfReaped, readProcessState, reapChild } from '../../host/pidfd.ts';
import type { ChildExit } from '../../host/pidfd.ts';
import { DescriptorWatch } from '../../host/poll.ts';

const REAPED_PATIENCE_MS = 5000;
const STEP_MS = 20;

/**
 * Waits for the end of a process that is not this process's child (its parent is the engine, or PID 1, since the monitor that
 * started it died) and tells it, with a reason where the exit code cannot be learned.
 */
export function watchStranger(
  pid: number,
  pidfd: number | undefined,
  ended: (exit: ChildExit, reason?: string) => void,
): void {
  if (pidfd === undefined) {
    setImmediate(() => ended({ pid }, 'the process ended while neither engine nor monitor ran'));
    return;
  }
  const watch = new DescriptorWatch(pidfd, { readable: true }, () => {
    watch.close();
    void findExit(pid, pidfd).then((exit) =>
      exit ? ended(exit) : ended({ pid }, 'the exit code of the process could not be learned'),
    );
  });
}

async function findExit(pid: number, pidfd: number): Promise<ChildExit | undefined> {
  const deadline = performance.now() + REAPED_PATIENCE_MS;
  for (;;) {
    // While it is a zombie its pid is its own; the pidfd was opened before.
    const zombie = readProcessState(pid)?.exit;
    const exit = exitOfReaped(pidfd, pid) ?? reapChild(pid) ?? zombie;
    if (exit) return exit;
    if (performance.now() > deadline) return undefined;
    await delay(STEP_MS);
  }
}
