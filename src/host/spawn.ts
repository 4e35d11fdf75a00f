import { lastErrno, libc, SystemCallError } from './libc.ts';
import { closeDescriptor, openDescriptor } from './descriptor.ts';
import { openPidfd, waitPidfd } from './pidfd.ts';
import type { ChildExit } from './pidfd.ts';
import { DescriptorWatch } from './poll.ts';

const spawnCall = libc.func(
  'int posix_spawn(_Out_ int *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)',
);
const actionsInit = libc.func('int posix_spawn_file_actions_init(void *actions)');
const actionsDup2 = libc.func('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)');
const actionsDestroy = libc.func('int posix_spawn_file_actions_destroy(void *actions)');
const attributesInit = libc.func('int posix_spawnattr_init(void *attributes)');
const attributesFlags = libc.func('int posix_spawnattr_setflags(void *attributes, short flags)');
const attributesDefault = libc.func('int posix_spawnattr_setsigdefault(void *attributes, void *signals)');
const attributesMask = libc.func('int posix_spawnattr_setsigmask(void *attributes, void *signals)');
const attributesDestroy = libc.func('int posix_spawnattr_destroy(void *attributes)');

const SETSIGDEF = 4;
const SETSIGMASK = 8;
const SETSID = 0x80;
/** glibc's and musl's types are at most 336 bytes. */
const STRUCTURE_BYTES = 512;
const SIGSET_BYTES = 128;

/** How a program is started. */
export interface SpawnOptions {
  /** Whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors (≥ 3) that become 0, 1 and 2; `null` is /dev/null. */
  readonly stdio: readonly [number | null, number | null, number | null];
  /** A session of its own, so that the terminal's signals do not reach it. */
  readonly newSession?: boolean;
}

/**
 * Starts a program by posix_spawn, whose cost does not grow with this process (`child_process` forks), with all signals at
 * their defaults. Only the three descriptors and what is not close-on-exec are inherited. Returns the child's pid; the caller
 * waits for it.
 *
 * @throws {SystemCallError} when the program cannot be executed.
 */
export function spawnProcess(file: string, args: readonly string[], options: SpawnOptions): number {
  const actions = Buffer.alloc(STRUCTURE_BYTES);
  const attributes = Buffer.alloc(STRUCTURE_BYTES);
  const nullDevice = options.stdio.includes(null) ? openDescriptor('/dev/null', 'readWrite') : -1;
  ok(actionsInit(actions), 'posix_spawn_file_actions_init');
  ok(attributesInit(attributes), 'posix_spawnattr_init');
  try {
    options.stdio.forEach((fd, target) => ok(actionsDup2(actions, fd ?? nullDevice, target), 'adddup2'));
    ok(attributesDefault(attributes, Buffer.alloc(SIGSET_BYTES, 0xff)), 'setsigdefault');
    ok(attributesMask(attributes, Buffer.alloc(SIGSET_BYTES)), 'setsigmask');
    ok(attributesFlags(attributes, SETSIGDEF | SETSIGMASK | (options.newSession === true ? SETSID : 0)), 'setflags');
    const environment = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
    const pid = [0];
    ok(spawnCall(pid, file, actions, attributes, [file, ...args, null], [...environment, null]), 'posix_spawn', file);
    return pid[0] as number;
  } finally {
    actionsDestroy(actions);
    attributesDestroy(attributes);
    if (nullDevice >= 0) closeDescriptor(nullDevice);
  }
}

/** Waits for a child made by {@link spawnProcess} and reaps it. */
export async function waitForChild(pid: number): Promise<ChildExit> {
  const pidfd = openPidfd(pid);
  try {
    return await new Promise<ChildExit>((resolve, reject) => {
      const watch = new DescriptorWatch(pidfd, { readable: true }, () => {
        try {
          const exit = waitPidfd(pidfd);
          if (!exit) return;
          watch.close();
          resolve(exit);
        } catch (error) {
          watch.close();
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  } finally {
    closeDescriptor(pidfd);
  }
}

function ok(result: unknown, call: string, subject?: string): void {
  if (result !== 0) throw new SystemCallError(call, typeof result === 'number' ? result : lastErrno(), subject);
}
