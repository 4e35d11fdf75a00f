import { readFile } from 'node:fs/promises';
import { EngineError, kindOf } from '../base/errors.ts';
import type { Attachment, AttachRequest, TerminalSize } from '../runtime/process-host.ts';
import { publishContainerEvent, type ContainerContext } from './context.ts';
import { cgroupOf } from './end.ts';
import type { ContainerInstance } from './instance.ts';
import { isRunning } from './lifecycle.ts';
import { requireRunning } from './registry.ts';

/**
 * Joins a container's stdio: at once when it runs, else at its next start. `undefined` when there is nothing to join after all
 * (the start failed, the container went).
 */
export async function attachContainer(
  context: ContainerContext,
  instance: ContainerInstance,
  request: AttachRequest,
): Promise<Attachment | undefined> {
  if (instance.record.state.status === 'paused') {
    throw new EngineError(
      'conflict',
      `container ${instance.record.name} is paused, unpause the container before attach`,
    );
  }
  publishContainerEvent(context, 'attach', instance.record);
  if (!isRunning(instance.record.state)) return instance.attachments.join(request);
  try {
    return await context.processes.attach(instance.record.id, request);
  } catch (error) {
    if (kindOf(error) === 'notFound') return undefined;
    throw error;
  }
}

/** Gives a running container's terminal a size. @throws {EngineError} conflict when it does not run */
export async function resizeContainer(
  context: ContainerContext,
  instance: ContainerInstance,
  size: TerminalSize,
): Promise<void> {
  requireRunning(instance.record);
  await context.processes.resize(instance.record.id, size);
  publishContainerEvent(context, 'resize', instance.record, { height: String(size.rows), width: String(size.columns) });
}

/** Returns the host's pids of a container's processes. @throws {EngineError} conflict when it does not run */
export function processIds(context: ContainerContext, instance: ContainerInstance): readonly number[] {
  requireRunning(instance.record);
  return cgroupOf(context, instance).pids();
}

/** One line of the process table. */
export interface ProcessLine {
  readonly user: string;
  readonly pid: number;
  readonly parentPid: number;
  /** Per cent of one processor over the process's life. */
  readonly processorPercent: number;
  readonly startedAt: Date;
  readonly terminal: string;
  readonly processorSeconds: number;
  readonly command: string;
}

const ticksPerSecond = 100;

/** Returns a container's processes as `ps -ef` shows them, in the order of their pids. */
export async function listProcesses(
  context: ContainerContext,
  instance: ContainerInstance,
): Promise<readonly ProcessLine[]> {
  const pids = processIds(context, instance);
  const passwd = await readFile('/etc/passwd', 'utf8');
  const users = new Map(
    passwd.split('\n').map((line) => [line.split(':')[2] ?? '', line.split(':')[0] ?? ''] as const),
  );
  const bootedAt = Date.now() - Number((await readFile('/proc/uptime', 'utf8')).split(' ')[0]) * 1000;
  const lines = await Promise.all(pids.toSorted((a, b) => a - b).map((pid) => processLine(pid, users, bootedAt)));
  return lines.filter((line) => line !== undefined);
}

async function processLine(
  pid: number,
  users: ReadonlyMap<string, string>,
  bootedAt: number,
): Promise<ProcessLine | undefined> {
  try {
    const [stat, status, commandLine] = await Promise.all(
      ['stat', 'status', 'cmdline'].map((name) => readFile(`/proc/${pid}/${name}`, 'latin1')),
    );
    // The name in brackets may hold spaces and brackets itself.
    const fields = (stat ?? '').slice((stat ?? '').lastIndexOf(')') + 2).split(' ');
    const number = (field: number): number => Number(fields[field - 3]);
    const userId = /^Uid:\s+\d+\s+(\d+)/m.exec(status ?? '')?.[1] ?? '';
    const startedAt = new Date(bootedAt + (number(22) / ticksPerSecond) * 1000);
    const processorSeconds = (number(14) + number(15)) / ticksPerSecond;
    const age = Math.max(1, (Date.now() - startedAt.getTime()) / 1000);
    const name = /\((.*)\)/s.exec(stat ?? '')?.[1] ?? '';
    const words = Buffer.from(commandLine ?? '', 'latin1')
      .toString('utf8')
      .split('\0')
      .join(' ')
      .trim();
    return {
      user: users.get(userId) ?? userId,
      pid,
      parentPid: number(4),
      processorPercent: Math.floor((processorSeconds / age) * 100),
      startedAt,
      terminal: terminalName(number(7)),
      processorSeconds,
      command: words || `[${name}]`,
    };
  } catch (error) {
    // A process may end while it is looked at.
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    (error.code === 'ENOENT' || error.code === 'ESRCH')
  );
}

const firstPtyMajor = 136;

function terminalName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  return major >= firstPtyMajor && major < firstPtyMajor + 8 ? `pts/${(major - firstPtyMajor) * 256 + minor}` : '?';
}
