import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readLogs } from '../logs/read-logs.ts';
import type { RunRequest } from './process-host.ts';
import { cannotRun, exitOf, outputOf, TestBed } from './test-container.ts';

const all = { stdin: true, stdout: true, stderr: true };
const options = { skip: cannotRun, timeout: 30_000 };

/** An engine that runs the requests and is still alive; gives its monitor's pid. */
async function engineWith(
  bed: TestBed,
  requests: readonly RunRequest[],
): Promise<{ engine: ChildProcess; monitor: number }> {
  const program = fileURLToPath(new URL('test-engine.ts', import.meta.url));
  const engine = spawn(process.execPath, [program, bed.execRoot], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: engine.stdout })[Symbol.asyncIterator]();
  let monitor = 0;
  for (const request of requests) {
    engine.stdin.write(`${JSON.stringify(request)}\n`);
    monitor = Number((await answers.next()).value);
  }
  return { engine, monitor };
}

async function kill(engine: ChildProcess): Promise<void> {
  engine.kill('SIGKILL');
  if (engine.exitCode === null && engine.signalCode === null) await once(engine, 'exit');
}

async function logOf(request: RunRequest): Promise<string> {
  const texts: string[] = [];
  const file = request.stdio.log?.file ?? '';
  for await (const { text } of readLogs({ file, streams: ['stdout', 'stderr'] })) texts.push(text);
  return texts.join('');
}

test('a new engine finds what runs, joins terminal and stdin, and learns the ends it missed', options, async () => {
  await using bed = new TestBed();
  const missed = await bed.prepare(['sh', '-c', 'sleep 0.2; echo missed; exit 5']);
  const shell = await bed.prepare(['sh'], { terminal: true, openStdin: true });
  const cat = await bed.prepare(['cat'], { openStdin: true, stdinOnce: true });
  const { engine } = await engineWith(bed, [missed, shell, cat]);
  await kill(engine);
  await delay(300);
  const host = await bed.connect();
  assert.equal((await exitOf(host, missed.id)).exitCode, 5);
  assert.equal(await logOf(missed), 'missed\n');
  assert.deepEqual((await host.list()).map(({ id }) => id).toSorted(), [missed.id, shell.id, cat.id].toSorted());
  const terminal = await host.attach(shell.id, all);
  await host.resize(shell.id, { rows: 11, columns: 22 });
  await terminal.write(Buffer.from('stty size; exit 3\n'));
  assert.match((await outputOf(terminal)).stdout, /11 22/);
  assert.equal((await exitOf(host, shell.id)).exitCode, 3);
  const input = await host.attach(cat.id, all);
  await input.write(Buffer.from('hello\n'));
  await input.endInput();
  assert.equal((await outputOf(input)).stdout, 'hello\n');
  await assert.rejects(host.attach('nobody', all), { kind: 'notFound' });
});

test('with engine and monitor both killed, a container runs on and its output is kept', options, async () => {
  await using bed = new TestBed();
  const writer = await bed.prepare([
    'sh',
    '-c',
    'i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo $i; sleep 0.01; done; sleep 0.3; exit 6',
  ]);
  const gone = await bed.prepare(['sh', '-c', 'sleep 0.1; exit 4']);
  const { engine, monitor } = await engineWith(bed, [writer, gone]);
  await delay(30);
  await kill(engine);
  process.kill(monitor, 'SIGKILL');
  await delay(200);
  const host = await bed.connect();
  assert.equal((await exitOf(host, writer.id)).exitCode, 6);
  assert.equal(await logOf(writer), Array.from({ length: 60 }, (_, index) => `${index + 1}\n`).join(''));
  const lost = await exitOf(host, gone.id);
  // This process may have become its parent; where none kept it, nobody knows how it ended.
  if (lost.reason === undefined) assert.equal(lost.exitCode, 4);
  else assert.equal(lost.exitCode, 255);
});
