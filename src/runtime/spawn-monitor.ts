import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { workerUrl } from '../base/worker-url.ts';
import { closeDescriptor } from '../host/descriptor.ts';
import { createPipe, readBytes } from '../host/pipe.ts';
import { DescriptorWatch } from '../host/poll.ts';
import { spawnProcess, waitForChild } from '../host/spawn.ts';
import type { RuntimeSetup } from './oci-runtime.ts';

/**
 * Starts a monitor and waits until it listens, or has ended (as it does when another one holds the journal). It reads its
 * program from `entry`, by default `monitor/main` beside this module, and writes its complaints to EXEC_ROOT/monitor.log.
 */
export async function spawnMonitor(setup: RuntimeSetup, entry?: string): Promise<void> {
  const program = entry ?? fileURLToPath(workerUrl('monitor/main', import.meta.url));
  const complaints = openSync(path.join(setup.execRoot, 'monitor.log'), 'a', 0o600);
  const ready = createPipe();
  try {
    const { PATH = '/usr/sbin:/usr/bin:/sbin:/bin', NODE_COMPILE_CACHE: cache } = process.env;
    const pid = spawnProcess(process.execPath, [program, JSON.stringify(setup)], {
      env: { PATH, ...(cache === undefined ? {} : { NODE_COMPILE_CACHE: cache }) },
      stdio: [null, ready.write, complaints],
      newSession: true,
    });
    // Reaped whenever it ends; that it ended shows on its socket.
    void waitForChild(pid);
  } finally {
    closeDescriptor(ready.write);
    closeSync(complaints);
  }
  await new Promise<void>((resolve) => {
    const watch = new DescriptorWatch(ready.read, { readable: true }, () => {
      if (readBytes(ready.read, Buffer.alloc(1), 1) === 'again') return;
      watch.close();
      closeDescriptor(ready.read);
      resolve();
    });
  });
}
