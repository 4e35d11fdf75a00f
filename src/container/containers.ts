import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { ProcessExit, ProcessStatus } from '../runtime/process-host.ts';
import { networkRequest } from './bundle.ts';
import { publishContainerEvent, type ContainerContext } from './context.ts';
import { handleExit, removeStopped, scheduleRestart } from './end.ts';
import type { Execs } from './execs.ts';
import type { ContainerInstance } from './instance.ts';
import { isRunning, restartsAfter } from './lifecycle.ts';
import { cleanUpRun, startContainer } from './start.ts';

/**
 * Brings what the records say and what the machine says together, when an engine starts: containers that run on are taken over,
 * ends that happened meanwhile are recorded, a reboot is recorded as exit code 255, what was half removed is removed, and
 * restart policies are caught up. Afterwards ends are recorded as they happen, until the returned function is called.
 */
export async function superviseContainers(context: ContainerContext, execs: Execs): Promise<() => void> {
  await mkdir(context.dataDirectory, { recursive: true, mode: 0o710 });
  await mkdir(context.bundleDirectory, { recursive: true, mode: 0o700 });
  const statuses = new Map((await context.processes.list()).map((status) => [status.id, status] as const));
  for (const instance of context.registry.list()) {
    await instance.queue.run(() => reconcile(context, instance, statuses.get(instance.record.id)));
  }
  await context.networks.settle();
  await removeStrays(context);
  return context.processes.onExit((exit) => void recordExit(context, execs, exit));
}

async function reconcile(
  context: ContainerContext,
  instance: ContainerInstance,
  status: ProcessStatus | undefined,
): Promise<void> {
  const { state } = instance.record;
  if (status && !isRunning(state)) {
    // The engine died between the start and its record.
    const time = context.clock.now();
    context.registry.apply(instance, {
      type: 'started',
      pid: status.pid,
      processStartTime: status.startTime,
      time,
      again: false,
    });
  }
  if (status && !status.exit) return takeOver(context, instance, status);
  // An end that the monitor knows is told by onExit.
  if (status) return;
  if (isRunning(state)) {
    const time = context.clock.now();
    context.registry.apply(instance, { type: 'exited', exitCode: 255, oomKilled: false, time });
    await cleanUpRun(context, instance);
    await context.registry.durable();
  }
  await afterRestart(context, instance, isRunning(state));
}

async function takeOver(context: ContainerContext, instance: ContainerInstance, status: ProcessStatus): Promise<void> {
  const { network } = instance.record;
  if (network) await context.networks.adopt(networkRequest(instance.record), network, status.pid);
}

/** What a policy wants of a container that does not run when the engine starts. */
async function afterRestart(
  context: ContainerContext,
  instance: ContainerInstance,
  wasRunning: boolean,
): Promise<void> {
  const { state, hostConfig } = instance.record;
  if (state.status === 'removing' || (hostConfig.AutoRemove && state.status === 'exited')) {
    await removeStopped(context, instance);
    return;
  }
  const { Name: name, MaximumRetryCount: maximumRetryCount } = hostConfig.RestartPolicy;
  if (state.status === 'restarting') return scheduleRestart(context, instance, 0);
  const again =
    name === 'always' ? state.status === 'exited' : wasRunning && restartsAfter(state, { name, maximumRetryCount });
  if (!again) return;
  try {
    await startContainer(context, instance);
  } catch (error) {
    context.log.warn(
      { container: instance.record.id, error: messageOf(error) },
      'the container could not be started again',
    );
  }
}

/** Snapshots and folders of containers whose creation was cut short. */
async function removeStrays(context: ContainerContext): Promise<void> {
  const known = new Set(context.registry.list().map(({ record }) => record.id));
  for await (const { key } of context.snapshotter.walk()) if (!known.has(key)) await context.snapshotter.remove(key);
  for (const directory of [context.dataDirectory, context.bundleDirectory]) {
    for (const name of await readdir(directory)) {
      if (!known.has(name)) await rm(path.join(directory, name), { recursive: true, force: true });
    }
  }
}

async function recordExit(context: ContainerContext, execs: Execs, exit: ProcessExit): Promise<void> {
  try {
    const instance = context.registry.find(exit.id);
    if (instance) await instance.queue.run(() => handleExit(context, instance, exit));
    else execs.handleExit(exit);
    await context.processes.forget(exit.id);
  } catch (error) {
    context.log.error({ process: exit.id, error: messageOf(error) }, 'the end of a process could not be recorded');
  }
}

/** Renames a container, durably. @throws {EngineError} invalidArgument or conflict, in docker's words */
export async function renameContainer(
  context: ContainerContext,
  instance: ContainerInstance,
  name: string,
): Promise<void> {
  const { id, name: oldName } = instance.record;
  using _name = context.registry.reserve(name, id);
  await instance.queue.run(() => context.registry.edit(instance, { name }));
  publishContainerEvent(context, 'rename', instance.record, { oldName: `/${oldName}` });
}
