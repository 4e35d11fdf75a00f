import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogStream } from '../logs/json-file-format.ts';
import { readLogs } from '../logs/read-logs.ts';
import type { MonitoredProcessHost } from './monitored-process-host.ts';
import type { RunRequest } from './process-host.ts';
import { cannotRun, exitOf, outputOf, TestBed } from './test-container.ts';

const all = { stdin: true, stdout: true, stderr: true };
const options = { skip: cannotRun, timeout: 60_000 };
const kills = Number(process.env['SLIPWAY_MONITOR_KILLS'] ?? 20);

async function logOf(request: RunRequest, streams: readonly LogStream[] = ['stdout', 'stderr']): Promise<string> {
  const texts: string[] = [];
  for await (const { text } of readLogs({ file: request.stdio.log?.file ?? '', streams })) texts.push(text);
  return texts.join('');
}

function numbered(count: number): string {
  return Array.from({ length: count }, (_, index) => `${index + 1}\n`).join('');
}

async function killMonitor(host: MonitoredProcessHost): Promise<void> {
  process.kill(await host.monitorPid(), 'SIGKILL');
}

test(`kill -9 of the monitor, ${kills} times, loses and doubles no line in log or attachment`, options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const count = 150_000;
  const pipes = await bed.prepare(['sh', '-c', `seq ${count} & seq ${count} >&2; wait; exit 9`]);
  const terminal = await bed.prepare(['sh', '-c', `seq ${count}; exit 8`], { terminal: true });
  const exits = [exitOf(host, pipes.id), exitOf(host, terminal.id)];
  const [first, second] = [await host.run(pipes, all), await host.run(terminal, all)];
  const outputs = [outputOf(first.attachment), outputOf(second.attachment)];
  for (let index = 0; index < kills; index++) {
    await killMonitor(host);
    await delay(Math.random() * 30);
  }
  const [fromPipes, fromTerminal] = await Promise.all(outputs);
  assert.ok(fromPipes?.stdout === numbered(count), 'attached stdout');
  assert.ok(fromPipes.stderr === numbered(count), 'attached stderr');
  assert.ok(fromTerminal?.stdout.replaceAll('\r', '') === numbered(count), 'attached terminal');
  assert.deepEqual(
    (await Promise.all(exits)).map(({ exitCode }) => exitCode),
    [9, 8],
  );
  assert.ok((await logOf(pipes, ['stdout'])) === numbered(count), 'log of stdout');
  assert.ok((await logOf(pipes, ['stderr'])) === numbered(count), 'log of stderr');
  assert.ok((await logOf(terminal)).replaceAll('\r', '') === numbered(count), 'log of the terminal');
});

test('stdin, terminal, exec, signal and exit code go on with the next monitor', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const cat = await bed.prepare(['cat'], { openStdin: true, stdinOnce: true });
  const shell = await bed.prepare(['sh'], { terminal: true, openStdin: true });
  const sleeper = await bed.prepare(['sleep', '100']);
  const [first, second] = [await host.run(cat, all), await host.run(shell, all)];
  await host.run(sleeper);
  await first.attachment?.write(Buffer.from('before\n'));
  await killMonitor(host);
  await first.attachment?.write(Buffer.from('after\n'));
  await first.attachment?.endInput();
  assert.equal((await outputOf(first.attachment)).stdout, 'before\nafter\n');
  assert.equal((await exitOf(host, cat.id)).exitCode, 0);
  await host.resize(shell.id, { rows: 10, columns: 20 });
  await second.attachment?.write(Buffer.from('stty size; exit 4\n'));
  assert.match((await outputOf(second.attachment)).stdout, /10 20/);
  assert.equal((await exitOf(host, shell.id)).exitCode, 4);
  const config = JSON.parse(readFileSync(`${sleeper.bundle}/config.json`, 'utf8')) as { process: object };
  const exec = await host.exec(
    {
      id: 'exec',
      containerId: sleeper.id,
      runtime: 'crun',
      process: { ...config.process, args: ['sh', '-c', 'echo there; exit 6'] },
      stdio: { terminal: false, openStdin: false, stdinOnce: false },
    },
    all,
  );
  assert.equal((await outputOf(exec.attachment)).stdout, 'there\n');
  assert.equal((await exitOf(host, 'exec')).exitCode, 6);
  await host.signal(sleeper.id, 9);
  assert.equal((await exitOf(host, sleeper.id)).exitCode, 137);
});

test('an end that nobody could see is told by the next monitor, with its exit code', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const request = await bed.prepare(['sh', '-c', 'sleep 0.1; echo last; exit 11']);
  await host.run(request);
  process.kill(await host.monitorPid(), 'SIGSTOP');
  await delay(200);
  await killMonitor(host);
  assert.equal((await exitOf(host, request.id)).exitCode, 11);
  assert.equal(await logOf(request), 'last\n');
});

test('starts that a dying monitor interrupts are done by the next one', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  for (let index = 0; index < 8; index++) {
    const request = await bed.prepare(['sh', '-c', 'echo $((6*7))']);
    const running = host.run(request, all);
    await delay(index * 1.5);
    await killMonitor(host);
    const { attachment } = await running;
    assert.equal((await outputOf(attachment)).stdout, '42\n', `after ${index} ms`);
    assert.equal((await exitOf(host, request.id)).exitCode, 0);
    await host.forget(request.id);
    // Not faster than the host restarts monitors.
    await delay(200);
  }
});
