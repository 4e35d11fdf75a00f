import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { closeDescriptor, openDescriptor } from '../host/descriptor.ts';
import { mountFlags, mountSync } from '../host/mount.ts';
import { enterNamespace, unshareNamespace } from '../host/namespaces.ts';
import { createPipe, readBytes } from '../host/pipe.ts';
import { spawnProcess, waitForChild } from '../host/spawn.ts';
import type { SpawnOptions } from '../host/spawn.ts';
import { isErrorCode } from '../base/errors.ts';
import { readCgroupLayout } from './cgroup/cgroup.ts';

/** Which runtimes there are, and where. */
export interface RuntimePaths {
  readonly crun?: string;
  readonly runc?: string;
}

/** What is needed to call the runtimes; plain data, handed to the monitor. */
export interface RuntimeSetup {
  readonly execRoot: string;
  readonly paths: RuntimePaths;
  /** A cgroup2 mount to hide from crun; see {@link findMountToCover}. */
  readonly coverMount?: string;
}

const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

/** Returns the runtime's own directory for a container's state. */
export function stateDirectory(setup: RuntimeSetup, runtime: 'crun' | 'runc', id: string): string {
  return path.join(setup.execRoot, runtime, id);
}

/** Removes a dead container's state, as the runtime's `delete` does after it removed the cgroup. */
export function removeState(setup: RuntimeSetup, runtime: 'crun' | 'runc', id: string): void {
  rmSync(stateDirectory(setup, runtime, id), { recursive: true, force: true });
}

/** Starts a runtime command; returns its pid. */
export function spawnRuntime(
  setup: RuntimeSetup,
  runtime: 'crun' | 'runc',
  command: readonly string[],
  stdio: SpawnOptions['stdio'],
): number {
  const file = setup.paths[runtime] ?? `/usr/bin/${runtime}`;
  const global = ['--root', path.join(setup.execRoot, runtime)];
  if (runtime === 'crun') global.push('--cgroup-manager=cgroupfs');
  const start = (): number => spawnProcess(file, [...global, ...command], { env: environment, stdio });
  return runtime === 'crun' && setup.coverMount !== undefined ? withCoveredMount(setup.coverMount, start) : start();
}

let hostNamespace: number | undefined;

/**
 * Runs `start` with this thread in a mount namespace of the moment in which an empty tmpfs covers `mountPoint`. The child keeps
 * that namespace; this thread returns to the host's, so it sees every later mount and holds none. 0.1 ms. Unmounting instead
 * of covering would make crun write into the host's tmpfs underneath.
 */
function withCoveredMount(mountPoint: string, start: () => number): number {
  hostNamespace ??= openDescriptor('/proc/self/ns/mnt', 'read');
  unshareNamespace('mount');
  try {
    mountSync({ target: '/', flags: mountFlags.recursive | mountFlags.slave });
    const flags = mountFlags.noSuid | mountFlags.noDevices | mountFlags.noExecute;
    mountSync({ source: 'tmpfs', target: mountPoint, type: 'tmpfs', flags });
    return start();
  } finally {
    enterNamespace(hostNamespace, 'mount');
  }
}

/**
 * Returns the cgroup2 mount that crun must not see: before 1.9 it refuses hybrid machines whose cgroup2 hierarchy has
 * controllers. `undefined` where there is nothing to hide.
 */
export async function findMountToCover(crun: string): Promise<string | undefined> {
  const { version, unified } = readCgroupLayout();
  if (version === 2 || unified === undefined) return undefined;
  if (readControllers(unified) === '') return undefined;
  const [major = 0, minor = 0] = (await readCrunVersion(crun)).split('.').map(Number);
  return major > 1 || (major === 1 && minor >= 9) ? undefined : unified;
}

function readControllers(unified: string): string {
  try {
    return readFileSync(path.join(unified, 'cgroup.controllers'), 'utf8').trim();
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return '';
    throw error;
  }
}

async function readCrunVersion(crun: string): Promise<string> {
  const pipe = createPipe();
  try {
    const pid = spawnProcess(crun, ['--version'], { env: environment, stdio: [null, pipe.write, null] });
    await waitForChild(pid);
    const bytes = Buffer.alloc(4096);
    const count = readBytes(pipe.read, bytes, bytes.length);
    return /crun version (\S+)/.exec(bytes.toString('latin1', 0, typeof count === 'number' ? count : 0))?.[1] ?? '0';
  } finally {
    closeDescriptor(pipe.read);
    closeDescriptor(pipe.write);
  }
}
