import { EngineError, kindOf, messageOf } from '../base/errors.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import { networkRequest, prepareBundle, removeBundle, stdioOf } from './bundle.ts';
import { publishContainerEvent, type ContainerContext } from './context.ts';
import type { ContainerInstance } from './instance.ts';
import { isRunning, requireStartable } from './lifecycle.ts';

/**
 * Starts a container's program; clients that attached before are connected to it from its first byte on.
 *
 * @throws {EngineError} notModified when it runs already, conflict when it cannot be started in its state, invalidArgument in
 * docker's words when there is no such program. The container is left as it was then, with exit code and text in its state.
 */
export async function startContainer(
  context: ContainerContext,
  instance: ContainerInstance,
  options: { readonly again: boolean } = { again: false },
): Promise<void> {
  const { state } = instance.record;
  if (isRunning(state) && state.status !== 'paused')
    throw new EngineError('notModified', 'container is already running');
  requireStartable(state);
  instance.cancelRestart?.();
  try {
    await launch(context, instance, options.again);
  } catch (error) {
    const failure = startFailure(error);
    context.registry.apply(instance, { type: 'startFailed', exitCode: failure.exitCode, error: failure.error.message });
    instance.attachments.cancel();
    await cleanUpRun(context, instance);
    await context.registry.durable();
    throw failure.error;
  }
}

async function launch(context: ContainerContext, instance: ContainerInstance, again: boolean): Promise<void> {
  const { record } = instance;
  const { id } = record;
  const [attached, mounted] = await Promise.allSettled([
    context.networks.attach(networkRequest(record)),
    context.snapshotter.mount(id),
  ]);
  // Both have ended when one has failed, so that the clean-up finds all there is.
  if (attached.status === 'rejected') throw attached.reason;
  instance.edit({ network: attached.value });
  if (mounted.status === 'rejected') throw mounted.reason;
  const rootfs = mounted.value;
  const bundle = await prepareBundle(context, instance.record, rootfs);
  const { status, attachment } = await context.processes.run(
    {
      id,
      bundle: bundle.directory,
      cgroupsPath: bundle.cgroupsPath,
      runtime: bundle.runtime,
      stdio: stdioOf(context, record),
    },
    instance.attachments.wanted(),
  );
  const time = context.clock.now();
  context.registry.apply(instance, {
    type: 'started',
    pid: status.pid,
    processStartTime: status.startTime,
    time,
    again,
  });
  if (attachment) instance.attachments.fulfil(attachment);
  publishContainerEvent(context, 'start', instance.record);
}

/** Frees what a run holds on the host; the container's own files stay. */
export async function cleanUpRun(context: ContainerContext, instance: ContainerInstance): Promise<void> {
  const { id } = instance.record;
  const ended = await Promise.allSettled([
    context.networks.detach(id),
    context.snapshotter.unmount(id),
    removeBundle(context, id),
  ]);
  for (const step of ended) if (step.status === 'rejected') throw step.reason;
}

const shimPrefix =
  'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: ';

function startFailure(error: unknown): { readonly exitCode: number; readonly error: EngineError } {
  if (!(error instanceof RuntimeError)) {
    const known =
      error instanceof EngineError ? error : new EngineError(kindOf(error), messageOf(error), { cause: error });
    return { exitCode: 128, error: known };
  }
  // Docker calls a program that is missing or not executable the caller's mistake, everything else its own.
  const kind = error.exitCode === 126 || error.exitCode === 127 ? 'invalidArgument' : 'internal';
  return {
    exitCode: error.exitCode === 125 ? 128 : error.exitCode,
    error: new EngineError(kind, `${shimPrefix}${error.runtimeText}`, { cause: error }),
  };
}
