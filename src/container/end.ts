import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, kindOf, messageOf } from '../base/errors.ts';
import { Cgroup } from '../runtime/cgroup/cgroup.ts';
import type { ProcessExit } from '../runtime/process-host.ts';
import { publishContainerEvent, type ContainerContext } from './context.ts';
import type { ContainerInstance } from './instance.ts';
import { isRunning, restartDelayMs, restartsAfter } from './lifecycle.ts';
import { requireRunning } from './registry.ts';
import { parseSignal } from './signals.ts';
import { cleanUpRun, startContainer } from './start.ts';

const killSignal = 9;
const killPatienceMs = 10_000;

/** Records the end of a container's program and does what follows from it: clean-up, restart, automatic removal. */
export async function handleExit(
  context: ContainerContext,
  instance: ContainerInstance,
  exit: ProcessExit,
): Promise<void> {
  const { state } = instance.record;
  if (!isRunning(state)) return;
  const { exitCode, oomKilled, finishedAt: time, reason } = exit;
  const ranForMs = time.getTime() - Date.parse(state.startedAt ?? time.toISOString());
  context.registry.apply(instance, {
    type: 'exited',
    exitCode,
    oomKilled,
    time,
    ...(reason === undefined ? {} : { error: reason }),
  });
  if (oomKilled) publishContainerEvent(context, 'oom', instance.record);
  await cleanUpRun(context, instance);
  const execDuration = String(Math.max(0, Math.floor(ranForMs / 1000)));
  publishContainerEvent(context, 'die', instance.record, { execDuration, exitCode: String(exitCode) });
  const { hostConfig } = instance.record;
  const policy = { name: hostConfig.RestartPolicy.Name, maximumRetryCount: hostConfig.RestartPolicy.MaximumRetryCount };
  if (restartsAfter(instance.record.state, policy)) {
    context.registry.apply(instance, { type: 'restartPlanned' });
    instance.restartDelayMs = restartDelayMs(instance.restartDelayMs, ranForMs);
    scheduleRestart(context, instance, instance.restartDelayMs);
  }
  instance.tellExit();
  if (hostConfig.AutoRemove) await removeStopped(context, instance);
  else await context.registry.durable();
}

/** Starts a container because somebody asked; one that removes itself goes when its start fails. @throws as `startContainer` */
export async function startOnRequest(context: ContainerContext, instance: ContainerInstance): Promise<void> {
  await instance.queue.run(async () => {
    try {
      await startContainer(context, instance);
    } catch (error) {
      if (instance.record.hostConfig.AutoRemove && !isRunning(instance.record.state))
        await removeStopped(context, instance);
      throw error;
    }
  });
}

/** Starts a `restarting` container after a while, unless it is stopped or removed first. */
export function scheduleRestart(context: ContainerContext, instance: ContainerInstance, delayMs: number): void {
  const timer = setTimeout(() => {
    instance.cancelRestart = undefined;
    void instance.queue.run(async () => {
      if (instance.removed || instance.record.state.status !== 'restarting') return;
      try {
        await startContainer(context, instance, { again: true });
      } catch (error) {
        context.log.warn(
          { container: instance.record.id, error: messageOf(error) },
          'the container could not be restarted',
        );
      }
    });
  }, delayMs);
  instance.cancelRestart = () => {
    clearTimeout(timer);
    instance.cancelRestart = undefined;
  };
}

/** Sends a signal to a container's program. @throws {EngineError} conflict when it does not run, invalidArgument for no signal */
export async function killContainer(
  context: ContainerContext,
  instance: ContainerInstance,
  signalText: string,
  reference: string,
): Promise<void> {
  const signal = signalText === '' ? killSignal : parseSignal(signalText);
  if (signal === undefined)
    throw new EngineError('invalidArgument', `cannot kill container: ${reference}: invalid signal: ${signalText}`);
  const { record } = instance;
  if (!isRunning(record.state)) {
    throw new EngineError('conflict', `cannot kill container: ${reference}: container ${record.id} is not running`);
  }
  const ended = instance.wait('next-exit');
  await instance.queue.run(async () => {
    requireRunning(instance.record);
    if (signal === killSignal) context.registry.apply(instance, { type: 'stopRequested' });
    await deliver(context, instance, signal);
  });
  publishContainerEvent(context, 'kill', record, { signal: String(signal) });
  if (signal === killSignal) await Promise.race([ended, delay(killPatienceMs, undefined, { ref: false })]);
}

async function deliver(context: ContainerContext, instance: ContainerInstance, signal: number): Promise<void> {
  try {
    await context.processes.signal(instance.record.id, signal);
  } catch (error) {
    // It ended between the check and the signal: what was wanted has happened, and its exit is on the way.
    if (kindOf(error) !== 'notFound') throw error;
  }
  // A frozen program takes no signal.
  if (instance.record.state.status === 'paused' && signal === killSignal) await thaw(context, instance);
}

async function thaw(context: ContainerContext, instance: ContainerInstance): Promise<void> {
  await cgroupOf(context, instance).freeze(false);
  context.registry.apply(instance, { type: 'unpaused' });
}

/** Returns a container's cgroup. */
export function cgroupOf(context: ContainerContext, instance: ContainerInstance): Cgroup {
  const parent = instance.record.hostConfig.CgroupParent || context.cgroupParent;
  return new Cgroup(context.cgroups, path.posix.join('/', parent, instance.record.id));
}

/**
 * Ends a container's program: its stop signal first, SIGKILL when it takes too long. A negative time-out waits for ever.
 *
 * @throws {EngineError} notModified when it does not run, invalidArgument for no signal.
 */
export async function stopContainer(
  context: ContainerContext,
  instance: ContainerInstance,
  options: { readonly timeoutSeconds?: number; readonly signal?: string; readonly reference?: string },
): Promise<void> {
  const { config, state } = instance.record;
  if (state.status === 'restarting') return abandonRestart(context, instance);
  if (!isRunning(state)) throw new EngineError('notModified', 'container is already stopped');
  const signalText = options.signal ?? config.StopSignal ?? 'SIGTERM';
  const signal = parseSignal(signalText);
  if (signal === undefined) {
    const what = options.reference ?? instance.record.name;
    throw new EngineError('invalidArgument', `cannot stop container: ${what}: invalid signal: ${signalText}`);
  }
  const timeoutSeconds = options.timeoutSeconds ?? config.StopTimeout ?? 10;
  const ended = instance.wait('next-exit').then(() => true);
  await instance.queue.run(async () => {
    if (!isRunning(instance.record.state)) return;
    context.registry.apply(instance, { type: 'stopRequested' });
    await deliver(context, instance, signal);
    if (instance.record.state.status === 'paused') await thaw(context, instance);
  });
  publishContainerEvent(context, 'kill', instance.record, { signal: String(signal) });
  const patience =
    timeoutSeconds < 0 ? ended : Promise.race([ended, delay(timeoutSeconds * 1000, false, { ref: false })]);
  if (!(await patience)) {
    await instance.queue.run(() =>
      isRunning(instance.record.state) ? deliver(context, instance, killSignal) : Promise.resolve(),
    );
    publishContainerEvent(context, 'kill', instance.record, { signal: String(killSignal) });
    await ended;
  }
  publishContainerEvent(context, 'stop', instance.record);
}

async function abandonRestart(context: ContainerContext, instance: ContainerInstance): Promise<void> {
  await instance.queue.run(async () => {
    if (instance.record.state.status !== 'restarting') return;
    instance.cancelRestart?.();
    context.registry.apply(instance, { type: 'stopRequested' });
    await context.registry.durable();
  });
  publishContainerEvent(context, 'stop', instance.record);
}

/** Suspends every process of a container, or lets them go on. @throws {EngineError} in docker's words */
export async function pauseContainer(
  context: ContainerContext,
  instance: ContainerInstance,
  wanted: 'paused' | 'unpaused',
): Promise<void> {
  await instance.queue.run(async () => {
    const { id, state } = instance.record;
    if (wanted === 'paused') {
      requireRunning(instance.record);
      if (state.status === 'paused') throw new EngineError('conflict', `Container ${id} is already paused`);
    } else if (state.status !== 'paused') {
      throw new EngineError('internal', `Container ${id} is not paused`);
    }
    await cgroupOf(context, instance).freeze(wanted === 'paused');
    context.registry.apply(instance, { type: wanted });
    await context.registry.durable();
  });
  publishContainerEvent(context, wanted === 'paused' ? 'pause' : 'unpause', instance.record);
}

/**
 * Removes a container with its writable layer, durably.
 *
 * @throws {EngineError} conflict when it runs and `force` is not given, or when its removal is under way.
 */
export async function removeContainer(
  context: ContainerContext,
  instance: ContainerInstance,
  options: { readonly force: boolean; readonly reference: string },
): Promise<void> {
  const { status } = instance.record.state;
  if (status === 'removing') {
    throw new EngineError('conflict', `removal of container ${options.reference} is already in progress`);
  }
  if (isRunning(instance.record.state)) {
    if (!options.force) {
      const advice =
        status === 'paused'
          ? 'container is paused and must be unpaused first'
          : 'container is running: stop the container before removing or force remove';
      throw new EngineError('conflict', `cannot remove container "${options.reference}": ${advice}`);
    }
    await endForRemoval(context, instance);
  }
  await instance.queue.run(() => removeStopped(context, instance));
}

async function endForRemoval(context: ContainerContext, instance: ContainerInstance): Promise<void> {
  const ended = instance.wait('next-exit');
  await instance.queue.run(async () => {
    if (!isRunning(instance.record.state)) return;
    context.registry.apply(instance, { type: 'stopRequested' });
    await deliver(context, instance, killSignal);
  });
  if (!isRunning(instance.record.state)) return;
  const done = await Promise.race([ended.then(() => true), delay(killPatienceMs, false, { ref: false })]);
  if (!done) {
    throw new EngineError(
      'internal',
      `could not kill container: tried to kill container ${instance.record.id}, but did not receive an exit event`,
    );
  }
}

/** Within the container's queue: removes it unless it is gone already. */
export async function removeStopped(context: ContainerContext, instance: ContainerInstance): Promise<void> {
  if (instance.removed) return;
  const { record } = instance;
  if (isRunning(record.state))
    throw new EngineError(
      'conflict',
      `cannot remove container "${record.name}": container is running: stop the container before removing or force remove`,
    );
  instance.cancelRestart?.();
  if (record.state.status !== 'removing') context.registry.apply(instance, { type: 'removing' });
  try {
    await Promise.all([
      context.snapshotter.remove(record.id),
      rm(path.join(context.dataDirectory, record.id), { recursive: true, force: true }),
    ]);
    const orphans = await context.registry.remove(instance);
    await context.collect(orphans);
  } catch (error) {
    context.registry.apply(instance, { type: 'removeFailed', error: messageOf(error) });
    await context.registry.durable();
    throw error;
  }
  publishContainerEvent(context, 'destroy', record);
  instance.tellRemoval();
}
