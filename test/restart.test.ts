/** Containers outlive their engine and their monitor: the same processes, no line lost, true exit codes, every verb as before. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { withoutDocker, type Docker } from './harness/docker.ts';
import { Terminal } from './harness/terminal.ts';
import { openWorld, type World } from './harness/world.ts';

/** `npm run soak` asks for a hundred. */
const rounds = Number(process.env['SLIPWAY_TEST_ROUNDS'] ?? 4);

const counting = ['sh', '-c', 'i=0; while :; do echo $i; i=$((i+1)); usleep 3000; done'];

describe('containers outlive engine and monitor', { skip: withoutDocker ?? false }, () => {
  let world: World;
  let pids: readonly string[] = [];
  const names = ['counter', 'removing', 'always', 'terminal'];
  const readPids = async (): Promise<readonly string[]> =>
    (await world.docker.run('inspect', '-f', '{{.Name}} {{.State.Pid}} {{.State.Status}}', ...names)).split('\n');

  before(async () => {
    world = await openWorld({ images: ['busybox'] });
    const { docker } = world;
    await docker.run('pull', '-q', 'busybox');
    await docker.run('run', '-d', '--name', 'counter', 'busybox', ...counting);
    await docker.run('run', '-dit', '--name', 'terminal', 'busybox', 'sh');
    await docker.run('run', '-d', '--rm', '--name', 'removing', 'busybox', 'sleep', '1000');
    await docker.run('run', '-d', '--restart', 'always', '--name', 'always', 'busybox', 'sleep', '1000');
    pids = await readPids();
  });
  after(() => world[Symbol.asyncDispose]());

  for (const victim of ['engine', 'monitor', 'both'] as const) {
    test(`${victim} killed, ${rounds} times`, { timeout: rounds * 30_000 }, async () => {
      for (let round = 0; round < rounds; round++) {
        await kill(world, victim);
        // Nobody holds a terminal when both are gone: the kernel hangs it up.
        const count = victim === 'both' ? 3 : 4;
        assert.deepEqual((await readPids()).slice(0, count), pids.slice(0, count));
        await checkVerbs(world.docker, round);
        if (victim !== 'both') await checkTerminal(world.docker, round);
      }
    });
  }

  test('what ended while the engine was away has its own code and time', async () => {
    const { docker, engine } = world;
    await docker.run('run', '-d', '--name', 'short', 'busybox', 'sh', '-c', 'sleep 1; echo bye; exit 7');
    await docker.run('run', '-d', '--rm', '--name', 'gone', 'busybox', 'sleep', '1');
    await docker.run(
      'run',
      '-d',
      '--restart',
      'on-failure:3',
      '--name',
      'retried',
      'busybox',
      'sh',
      '-c',
      'sleep 1; exit 5',
    );
    await engine.end('SIGKILL');
    await delay(2000);
    const back = Date.now();
    await engine.start();
    assert.equal(await docker.run('wait', 'short'), '7');
    assert.equal(await docker.run('logs', 'short'), 'bye');
    const finished = await docker.run('inspect', '-f', '{{.State.FinishedAt}}', 'short');
    assert.ok(Date.parse(finished) < back && Date.parse(finished) > back - 2500, finished);
    await until(async () => (await docker.run('ps', '-aq', '-f', 'name=gone')) === '');
    await until(async () => Number(await docker.run('inspect', '-f', '{{.RestartCount}}', 'retried')) >= 1);
    await docker.run('rm', '-f', 'short', 'retried');
  });

  test('no line of output is lost or doubled', async () => {
    await world.docker.run('stop', '-t', '0', 'counter');
    const lines = (await world.docker.run('logs', 'counter')).split('\n');
    const wrong = lines.findIndex((line, index) => line !== String(index));
    assert.equal(wrong, -1, `line ${wrong} of ${lines.length} is ${lines[wrong]}`);
    assert.ok(lines.length > 100);
  });

  test('stop, kill and automatic removal work as before', async () => {
    const { docker } = world;
    await docker.run('stop', '-t', '0', 'removing');
    await until(async () => (await docker.run('ps', '-aq', '-f', 'name=removing')) === '');
    await docker.run('exec', 'always', 'kill', '-9', '-1').catch(() => undefined);
    await docker.run('stop', '-t', '0', 'always');
    assert.equal(await docker.run('inspect', '-f', '{{.State.Status}}', 'always'), 'exited');
    await until(async () => (await docker.run('inspect', '-f', '{{.State.Status}}', 'terminal')) === 'exited');
    await docker.run('start', 'terminal');
    await checkTerminal(docker, 0);
    await docker.run('kill', 'terminal');
    assert.equal(await docker.run('wait', 'terminal'), '137');
  });
});

async function kill({ engine }: World, victim: 'engine' | 'monitor' | 'both'): Promise<void> {
  const monitor = victim === 'engine' ? undefined : await engine.monitorPid();
  if (victim === 'both') await engine.end('SIGKILL');
  if (monitor !== undefined) process.kill(monitor, 'SIGKILL');
  if (victim === 'engine') await engine.end('SIGKILL');
  if (victim !== 'monitor') await engine.start();
}

async function checkVerbs(docker: Docker, round: number): Promise<void> {
  assert.equal(await docker.run('exec', 'counter', 'echo', `round ${round}`), `round ${round}`);
  assert.equal((await docker.try(['exec', 'always', 'sh', '-c', 'exit 9'])).code, 9);
  assert.match(await docker.run('logs', '--tail', '3', 'counter'), /^\d+\n\d+\n\d+/);
}

async function checkTerminal(docker: Docker, round: number): Promise<void> {
  await using terminal = Terminal.start(['docker', 'attach', 'terminal'], {
    env: docker.env,
    size: { rows: 24, columns: 80 },
  });
  await terminal.expect(/\/dev\/pts/);
  await untilAnswered(terminal, `echo r=$((${round}+100))\r`, new RegExp(`r=${round + 100}`));
  terminal.type('\x10\x11');
  assert.ok([0, 1].includes(await terminal.exitCode()));
}

/** Keys typed before the client is attached go nowhere. */
async function untilAnswered(terminal: Terminal, question: string, answer: RegExp): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const from = terminal.text.length;
    terminal.type(question);
    try {
      await terminal.expect(answer, from, 1500);
      return;
    } catch (error) {
      if (attempt === 8) throw error;
    }
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await condition()) return;
    await delay(100);
  }
  assert.fail(`it does not come true: ${String(condition)}`);
}
