import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bytesWaiting } from '../../host/pipe.ts';
import type { ChildExit } from '../../host/pidfd.ts';
import { readProcessState } from '../../host/pidfd.ts';
import type { RuntimeSetup } from '../oci-runtime.ts';
import { classifyFailure } from './classify-failure.ts';
import { launch, launchPaths } from './launch.ts';
import type { Launch } from './launch.ts';
import type { ProcessRecord } from './protocol.ts';
import { StartError } from './start-error.ts';
import type { Reaper } from './reaper.ts';

const EXEC_PATIENCE_MS = 200;
const MAX_FAILURE_BYTES = 8192;

/** A process that the runtime has started. */
export interface StartedProcess {
  readonly pid: number;
  readonly launch: Launch;
}

/**
 * Runs the runtime's command for a process and waits for it.
 *
 * @throws {StartError} when the runtime fails; its pipes are closed then, what it left in the kernel is not cleaned up.
 */
export async function startProcess(
  setup: RuntimeSetup,
  directory: string,
  record: ProcessRecord,
  reaper: Reaper,
  onSpawned: (runtimePid: number) => void,
): Promise<StartedProcess> {
  const launched = launch(setup, directory, record);
  onSpawned(launched.runtimePid);
  const exit = await new Promise<ChildExit>((resolve) => reaper.watchSpawned(launched.runtimePid, resolve));
  try {
    if (exit.code !== 0) throw new StartError(classifyFailure(failureText(launched, exit), programOf(record)));
    const pid = launched.takeResult();
    if (record.runtime === 'crun') await awaitProgram(pid);
    return { pid, launch: launched };
  } catch (error) {
    launched.discard();
    throw error;
  }
}

function failureText(launched: Launch, exit: ChildExit): string {
  const text = launched.readRuntimeText();
  if (text !== '') return text;
  return exit.signal === undefined ? '' : `the runtime was killed by signal ${exit.signal}`;
}

/** `crun run --detach` may end before its last step, executing the program, which can still fail. */
async function awaitProgram(pid: number): Promise<void> {
  const deadline = performance.now() + EXEC_PATIENCE_MS;
  while (performance.now() < deadline) {
    const state = readProcessState(pid);
    if (!state || state.state === 'Z' || !state.name.startsWith('crun')) return;
    await delay(1);
  }
}

const crunExecFailure = /^exec container process(?: \(missing dynamic library\?\))? `(.*)`: (.*)\n?$/;

/**
 * Returns the exit code of a container's program; where crun could not execute it, 255 as with runc, whose words replace crun's
 * in the output.
 */
export function correctExecFailure(
  directory: string,
  record: ProcessRecord,
  launched: Launch,
  exit: ChildExit,
): ChildExit {
  if (record.runtime !== 'crun' || exit.code !== 1 || record.stdio.terminal) return exit;
  const [, stderr] = launched.outputs;
  // More than a message is the program's own output, whose order must not change.
  if (stderr === undefined || bytesWaiting(stderr) > MAX_FAILURE_BYTES) return exit;
  const paths = launchPaths(directory, record.slot);
  const text = launched.readRuntimeText();
  const match = crunExecFailure.exec(text);
  const [, program, cause] = match ?? [];
  const words = match ? `exec ${program}: ${(cause ?? '').toLowerCase()}\n` : text;
  if (text !== '') writeFileSync(paths.stderr, words);
  return match ? { pid: exit.pid, code: 255 } : exit;
}

function programOf(record: ProcessRecord): string {
  const file = record.kind === 'exec' ? (record.processFile ?? '') : path.join(record.bundle ?? '', 'config.json');
  const document = JSON.parse(readFileSync(file, 'utf8')) as { args?: string[]; process?: { args?: string[] } };
  return (record.kind === 'exec' ? document.args : document.process?.args)?.[0] ?? '';
}
