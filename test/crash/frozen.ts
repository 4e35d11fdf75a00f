/**
 * Power loss: with write-back frozen, verbs run against an engine whose data root is a small file system in a file; at some instant
 * the engine is stopped, and what had been written through to the file is what a machine would find after its plug was pulled.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineProcess } from '../harness/engine-process.ts';
import { requestOn, type Answer } from '../harness/http.ts';
import { freezeWriteback, makeLoopFileSystem, type LoopFileSystem } from './loop-file-system.ts';
import { checkAfterCrash, type Promised } from './invariants.ts';

/** Which verb is interrupted. */
export type CrashVerb = 'pull' | 'commit' | 'run' | 'rmi';

/** One interrupted verb. */
export interface CrashRound {
  readonly verb: CrashVerb;
  /** When the plug is pulled, after the request was sent. */
  readonly afterMs: number;
}

/** Makes an engine's settings below a data root. */
export function engineAt(folder: string, dataRoot: string, hub: string): EngineProcess {
  const execRoot = `/run/sw-${randomBytes(4).toString('hex')}`;
  return new EngineProcess({
    dataRoot,
    execRoot,
    logFile: path.join(folder, 'engine.log'),
    flags: ['--registry-mirror', `http://${hub}`],
  });
}

/** Starts a verb and tells what it promised once its answer is there; `settled` is read at the crash. */
export function startVerb(
  engine: EngineProcess,
  verb: CrashVerb,
  containerId: string,
): { readonly promised: () => Promised; readonly done: Promise<void> } {
  let answered: Answer | undefined;
  const ask = (method: string, target: string, body?: object): Promise<Answer> =>
    requestOn(engine.socketPath, method, target, { timeoutMs: 30_000, ...(body ? { body } : {}) });
  const requests: Readonly<Record<CrashVerb, () => Promise<Answer>>> = {
    pull: () => ask('POST', '/images/create?fromImage=hello-world&tag=latest'),
    commit: () => ask('POST', `/commit?container=${containerId}&repo=crash&tag=1`),
    run: () => ask('POST', '/containers/create', { Image: 'busybox', Cmd: ['true'] }),
    rmi: () => ask('DELETE', '/images/busybox:other'),
  };
  const done = requests[verb]().then(
    (answer) => {
      answered = answer;
    },
    () => {
      // The engine was killed: nothing was promised.
    },
  );
  const promised = (): Promised => {
    const ok = answered !== undefined && answered.status < 300 && !answered.body.includes('errorDetail');
    const images = ['busybox:latest'];
    if (ok && verb === 'pull') images.push('hello-world:latest');
    if (ok && verb === 'commit') images.push('crash:1');
    const containers = [containerId];
    if (ok && verb === 'run') containers.push((JSON.parse(answered?.body ?? '{}') as { Id: string }).Id);
    return { images, absentImages: ok && verb === 'rmi' ? ['busybox:other'] : [], containers };
  };
  return { promised, done };
}

/** Pulls busybox, gives it a second name and makes a container with a change; returns the container's id. */
export async function prepare(engine: EngineProcess): Promise<string> {
  const ask = async (method: string, target: string, body?: object): Promise<Answer> => {
    const answer = await requestOn(engine.socketPath, method, target, { timeoutMs: 30_000, ...(body ? { body } : {}) });
    if (answer.status >= 300) throw new Error(`${method} ${target}: ${answer.status} ${answer.body}`);
    return answer;
  };
  await ask('POST', '/images/create?fromImage=busybox&tag=latest');
  await ask('POST', '/images/busybox/tag?repo=busybox&tag=other');
  const created = await ask('POST', '/containers/create', {
    Image: 'busybox',
    Cmd: ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do cp /bin/busybox /root/copy$i; done'],
    HostConfig: { NetworkMode: 'none' },
  });
  const { Id } = JSON.parse(created.body) as { readonly Id: string };
  await ask('POST', `/containers/${Id}/start`);
  await ask('POST', `/containers/${Id}/wait`);
  return Id;
}

/** Runs one round in a folder of its own. @throws AssertionError when an invariant does not hold */
export async function frozenRound(folder: string, hub: string, round: CrashRound): Promise<void> {
  await mkdir(folder, { recursive: true });
  await using _frozen = await freezeWriteback();
  await using disk = await makeLoopFileSystem(folder, 512);
  const engine = engineAt(folder, path.join(disk.directory, 'data'), hub);
  let promised: Promised;
  let copy: LoopFileSystem;
  try {
    await engine.start();
    const containerId = await prepare(engine);
    const verb = startVerb(engine, round.verb, containerId);
    await delay(round.afterMs);
    process.kill(engine.pid, 'SIGSTOP');
    promised = verb.promised();
    copy = await disk.snapshot('copy');
    process.kill(engine.pid, 'SIGCONT');
    await verb.done;
  } finally {
    await engine.tearDown();
  }
  await using _copy = copy;
  const successor = engineAt(folder, path.join(copy.directory, 'data'), hub);
  try {
    await checkAfterCrash(successor, promised, `${round.verb} cut after ${round.afterMs} ms`);
  } finally {
    await successor.tearDown();
  }
}
