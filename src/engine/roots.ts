import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { ensureDirectory } from '../base/files.ts';
import { EngineError } from '../base/errors.ts';
import { tryLock } from '../host/descriptor.ts';
import { mount, mountFlags, unmount, unmountFlags } from '../host/mount.ts';
import { readMounts } from '../host/mountinfo.ts';

/**
 * Makes the two roots and claims them for this process until the result is disposed. The exec root is bound on itself and shared,
 * so that mounts made below it are seen by the monitor, whose mount namespace is its own.
 *
 * @throws {EngineError} failedPrecondition when another engine has one of them.
 */
export async function prepareRoots(dataRoot: string, execRoot: string): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  for (const root of [dataRoot, execRoot]) {
    await ensureDirectory(root, 0o711);
    const file = path.join(root, 'engine.lock');
    const handle = stack.use(await open(file, 'a', 0o600));
    if (!tryLock(handle.fd)) throw new EngineError('failedPrecondition', `${root} is in use by another engine`);
  }
  await ensureDirectory(path.join(execRoot, 'mounts'), 0o711);
  const mounted = (await readMounts()).find(({ mountPoint }) => mountPoint === execRoot);
  if (!mounted) {
    await mount({ source: execRoot, target: execRoot, flags: mountFlags.bind });
    // Private first: where `/` is shared, as under systemd, every mount below would else appear a second time under the binding.
    await mount({ source: 'none', target: execRoot, flags: mountFlags.private });
    await mount({ source: 'none', target: execRoot, flags: mountFlags.shared });
  }
  const owned = stack.move();
  return { [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Takes an exec root off the host. Detached: processes that are just ending may still have files open in it. */
export async function removeExecRoot(execRoot: string): Promise<void> {
  const own = (await readMounts()).filter(
    ({ mountPoint }) => mountPoint === execRoot || mountPoint.startsWith(`${execRoot}/`),
  );
  for (const { mountPoint } of own.toReversed()) await unmount(mountPoint, unmountFlags.detach);
  await rm(execRoot, { recursive: true, force: true });
}
