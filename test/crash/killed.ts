/**
 * SIGKILL at the n-th system call of a kind: strace sends it to the engine before the call is carried out. With one thread in the
 * pool the numbering is the same each time.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { engineAt, prepare, startVerb, type CrashVerb } from './frozen.ts';
import { checkAfterCrash } from './invariants.ts';

/** The calls at which durability and visibility are decided. */
export const decisiveCalls = ['rename', 'fsync', 'fdatasync', 'link', 'unlink', 'mount'] as const;

/** One of them. */
export type DecisiveCall = (typeof decisiveCalls)[number];

/** What to interrupt. */
export interface KillRound {
  readonly verb: CrashVerb;
  readonly call: DecisiveCall;
  readonly number: number;
}

/** Runs one round; returns whether the engine was killed (the verb makes that many calls). @throws AssertionError */
export async function killRound(folder: string, hub: string, round: KillRound): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  const { verb, call, number } = round;
  process.env['UV_THREADPOOL_SIZE'] = '1';
  const engine = engineAt(folder, path.join(folder, 'data'), hub);
  try {
    await engine.start();
    const containerId = await prepare(engine);
    const tracer = spawn(
      'strace',
      [
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-p',
        String(engine.pid),
        '-e',
        `trace=${call}`,
        '-e',
        `inject=${call}:signal=SIGKILL:when=${number}`,
      ],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    const ended = once(tracer, 'exit');
    await attached(engine.pid);
    const started = startVerb(engine, verb, containerId);
    await started.done;
    const killed = !(await isAlive(engine.pid));
    // Not asked to end: it would wait for a child of the dead engine that it has stopped.
    tracer.kill('SIGKILL');
    await ended;
    await engine.end('SIGKILL');
    await checkAfterCrash(engine, started.promised(), `${verb} killed at ${call} ${number}`);
    return killed;
  } finally {
    await engine.tearDown();
  }
}

/** strace says nothing when it has attached; the kernel does. */
async function attached(pid: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const threads = await readdir(`/proc/${pid}/task`);
    const statuses = await Promise.all(
      threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/status`, 'utf8').catch(() => 'TracerPid:\t1')),
    );
    if (statuses.every((status) => !/^TracerPid:\s+0$/m.test(status))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`strace did not attach to ${pid}`);
}

/** A process that was killed is a zombie until its parent has looked. */
async function isAlive(pid: number): Promise<boolean> {
  try {
    return !/^State:\s+[ZX]/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
