import { access, constants, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { EngineError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { closeInheritedOnExec } from '../host/descriptor.ts';
import { becomeSubreaper } from '../host/prctl.ts';
import { MAX_SOCKET_PATH } from '../host/unix-socket.ts';
import { MonitoredProcessHost } from './monitored-process-host.ts';
import { findMountToCover } from './oci-runtime.ts';
import type { RuntimePaths } from './oci-runtime.ts';

/** Longest name below EXEC_ROOT that is a socket: `/monitor/2047.tty`. */
const LONGEST_SOCKET_NAME = 17;

/** What {@link createProcessHost} needs. */
export interface ProcessHostOptions {
  /** An absolute path of at most 90 bytes. */
  readonly execRoot: string;
  /** Found by {@link findRuntimes}, or given. */
  readonly runtimes: RuntimePaths;
  readonly log: Logger;
  /** The monitor's program, where it is not beside this module. */
  readonly monitorEntry?: string;
}

/**
 * Connects to the host's monitor, starting one when none answers, and learns from it what runs and what has ended. This process
 * becomes a subreaper. Disposing only disconnects: processes and monitor go on; `stopMonitor` ends an idle monitor.
 *
 * @throws {EngineError} invalidArgument when the exec root's path is too long for sockets, unavailable when no monitor starts.
 */
export async function createProcessHost(options: ProcessHostOptions): Promise<MonitoredProcessHost> {
  const { execRoot, runtimes, log, monitorEntry } = options;
  if (!path.isAbsolute(execRoot) || Buffer.byteLength(execRoot) + LONGEST_SOCKET_NAME > MAX_SOCKET_PATH) {
    throw new EngineError('invalidArgument', `exec root ${execRoot} is not absolute or too long for unix sockets`);
  }
  await mkdir(execRoot, { recursive: true, mode: 0o711 });
  closeInheritedOnExec();
  becomeSubreaper();
  const coverMount = runtimes.crun === undefined ? undefined : await findMountToCover(runtimes.crun);
  const setup = { execRoot, paths: runtimes, ...(coverMount === undefined ? {} : { coverMount }) };
  const host = new MonitoredProcessHost(setup, log, monitorEntry);
  await host.connect();
  return host;
}

/** Finds crun and runc in the usual places. */
export async function findRuntimes(): Promise<RuntimePaths> {
  const directories = (process.env['PATH'] ?? '')
    .split(':')
    .concat('/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin');
  const find = async (name: string): Promise<string | undefined> => {
    for (const directory of directories) {
      const file = path.join(directory, name);
      if (!path.isAbsolute(file)) continue;
      if (await isExecutable(file)) return file;
    }
    return undefined;
  };
  const [crun, runc] = await Promise.all([find('crun'), find('runc')]);
  return { ...(crun === undefined ? {} : { crun }), ...(runc === undefined ? {} : { runc }) };
}

async function isExecutable(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
