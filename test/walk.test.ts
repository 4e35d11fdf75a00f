/** The main job through the stock docker client, word for word, at the oldest, a middle and the newest version of the API. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { withoutDocker, type Docker } from './harness/docker.ts';
import { Terminal } from './harness/terminal.ts';
import { openWorld, type World } from './harness/world.ts';

let world: World;
/** `npm run soak` asks for a gibibyte. */
const mebibytes = Number(process.env['SLIPWAY_TEST_MEBIBYTES'] ?? 64);

describe('the walk', { skip: withoutDocker ?? false }, () => {
  before(async () => {
    world = await openWorld();
  });
  after(() => world[Symbol.asyncDispose]());
  for (const version of ['1.24', '1.41', '1.51']) describe(`with API ${version}`, () => walk(version));
  test('the client negotiates the version by itself', async () => {
    const [client = '', server] = (
      await world.docker.run('version', '-f', '{{.Client.APIVersion}} {{.Server.APIVersion}}')
    ).split(' ');
    assert.equal(server, '1.51');
    assert.ok(Number(client.split('.')[1]) >= 44, client);
  });
});

function walk(version: string): void {
  let docker: Docker;
  before(() => {
    docker = world.dockerSpeaking(version);
  });
  const size = { rows: 43, columns: 132 };
  const terminal = (...command: readonly string[]): Terminal =>
    Terminal.start(['docker', ...command], { env: docker.env, size });

  test('hello-world is pulled and says hello', async () => {
    const { code, stdout, stderr } = await docker.try(['run', 'hello-world']);
    assert.match(stderr, /Unable to find image 'hello-world:latest' locally\n/);
    assert.match(stderr, /Status: Downloaded newer image for hello-world:latest\n/);
    assert.match(stdout, /Hello from Slipway!/);
    assert.equal(code, 0);
  });

  test('busybox is pulled, listed and runs', async () => {
    const pulled = await docker.run('pull', 'busybox');
    assert.match(pulled, /^Using default tag: latest\nlatest: Pulling from library\/busybox\n/);
    assert.match(pulled, /: Pull complete\n/);
    assert.match(
      pulled,
      /\nDigest: sha256:[0-9a-f]{64}\nStatus: Downloaded newer image for busybox:latest\ndocker.io\/library\/busybox:latest$/,
    );
    assert.match(await docker.run('pull', 'busybox'), /\nStatus: Image is up to date for busybox:latest\n/);
    const images = await docker.run('images');
    assert.match(images, /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n/);
    assert.match(images, /^busybox +latest +[0-9a-f]{12} .* ago +\d[\d.]*MB$/m);
    assert.equal(await docker.run('run', 'busybox'), '');
    assert.equal(await docker.run('run', 'busybox', 'echo', 'hello from busybox'), 'hello from busybox');
    assert.equal(await docker.run('ps', '-q'), '');
    assert.match(
      await docker.run('ps', '-a'),
      /busybox +"echo 'hello from bu…" +.* ago +Exited \(0\) .* ago +\w+_\w+\n/,
    );
  });

  test('exit codes come through', async () => {
    for (const [args, code] of [
      [['sh', '-c', 'exit 7'], 7],
      [['sh', '-c', 'sh -c "kill -9 \\$\\$"; exit $?'], 137],
      [['no-such-program'], 127],
      [['/etc'], 126],
    ] as const) {
      assert.equal((await docker.try(['run', 'busybox', ...args])).code, code, args.join(' '));
    }
  });

  test('a terminal has its size, follows it, and passes on Ctrl-C and the exit code', async () => {
    await using shell = terminal('run', '-it', '--rm', 'busybox', 'sh');
    await shell.expect(/\/ # /);
    await shell.ask('stty size\r', /43 132/);
    await shell.resize({ rows: 24, columns: 80 });
    await untilShown(shell, 'stty size\r', /24 80/);
    shell.type('sleep 1000; echo after=$?\r');
    await delay(300);
    await shell.ask('\x03', /after=130|# /);
    await shell.ask('echo alive=$((40+2))\r', /alive=42/);
    shell.type('exit 7\r');
    assert.equal(await shell.exitCode(), 7);
  });

  test('detach keys leave a terminal running, and who comes back sees what is new', async () => {
    const name = `detached-${version}`;
    await using first = terminal('run', '-it', '--name', name, 'busybox', 'sh');
    await first.expect(/\/ # /);
    await first.ask('(sleep 1; echo later=$((1+1)); sleep 1000) &\r', /# /);
    first.type('\x10\x11');
    assert.equal(await first.exitCode(), 0);
    assert.equal(await docker.run('inspect', '-f', '{{.State.Status}}', name), 'running');
    await using second = terminal('attach', name);
    await second.expect(/later=2/);
    await second.ask('echo back=$((2+2))\r', /back=4/);
    await untilShown(second, 'stty size\r', /43 132/);
    second.type('kill %1; exit 3\r');
    assert.equal(await second.exitCode(), 3);
    assert.match(await docker.run('logs', name), /later=2[\s\S]*back=4/);
  });

  test('input goes through run -i and exec -i', async () => {
    assert.equal((await docker.try(['run', '--rm', '-i', 'busybox', 'cat'], { input: 'x\n' })).stdout, 'x\n');
    const id = await docker.run('run', '-d', 'busybox', 'sleep', '1000');
    const counted = await docker.try(['exec', '-i', id, 'wc', '-c'], { input: 'y'.repeat(100_000) });
    assert.deepEqual([counted.code, counted.stdout, counted.stderr], [0, '100000\n', '']);
    assert.equal((await docker.try(['exec', id, 'sh', '-c', 'echo out; echo err >&2; exit 9'])).code, 9);
    const both = await docker.try(['exec', id, 'sh', '-c', 'echo out; echo err >&2']);
    assert.deepEqual([both.stdout, both.stderr], ['out\n', 'err\n']);
    await using shell = terminal('exec', '-it', id, 'sh');
    await shell.expect(/# /);
    await untilShown(shell, 'stty size\r', /43 132/);
    shell.type('exit 5\r');
    assert.equal(await shell.exitCode(), 5);
    assert.equal(await docker.run('rm', '-f', id), id);
  });

  test(`${mebibytes} MiB go through both ways, byte for byte`, async () => {
    const bytes = randomBytes(mebibytes << 20);
    const hash = createHash('sha256');
    const { code, stderr } = await docker.try(['run', '--rm', '-i', '--log-driver', 'none', 'busybox', 'cat'], {
      input: bytes,
      onOutput: (piece) => hash.update(piece),
      timeoutMs: 60_000 + mebibytes * 200,
    });
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'));
  });

  test('a published port is reached from loopback, the host and another container', async () => {
    const name = `web-${version}`;
    await docker.run('run', '-d', '--name', name, '-p', '80', 'busybox', 'httpd', '-f', '-h', '/etc');
    const port = /:(\d+)$/m.exec(await docker.run('port', name, '80'))?.[1] ?? '';
    const page = async (host: string): Promise<string> => {
      const response = await fetch(`http://${host}:${port}/passwd`, { signal: AbortSignal.timeout(5000) });
      return response.text();
    };
    assert.match(await page('127.0.0.1'), /^root:x:0:0/);
    const own = Object.entries(networkInterfaces())
      .filter(([link]) => link.startsWith('eth') || link.startsWith('en'))
      .flatMap(([, addresses]) => addresses ?? [])
      .find(({ family }) => family === 'IPv4')?.address;
    if (own !== undefined) assert.match(await page(own), /^root:x:0:0/);
    const address = await docker.run('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name);
    const gateway = await docker.run('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}', name);
    for (const url of [`http://${address}/passwd`, `http://${gateway}:${port}/passwd`])
      assert.match(await docker.run('run', '--rm', 'busybox', 'wget', '-q', '-O', '-', url), /^root:x:0:0/);
    assert.match(await docker.run('ps'), new RegExp(`0\\.0\\.0\\.0:${port}->80/tcp`));
    assert.equal(await docker.run('stop', '-t', '1', name), name);
  });

  test('a change is committed, tagged, pushed, removed and pulled again', async () => {
    const name = `changed-${version}`;
    await docker.run('run', '--name', name, 'busybox', 'sh', '-c', 'echo mine > /mine; rm /etc/group');
    assert.deepEqual((await docker.run('diff', name)).split('\n').toSorted(), ['A /mine', 'C /etc', 'D /etc/group']);
    assert.match(await docker.run('commit', '-m', 'mine', name, 'me/mine'), /^sha256:[0-9a-f]{64}$/);
    const target = `${world.hub.replace('127.0.0.1', 'localhost')}/me/mine:${version}`;
    await docker.run('tag', 'me/mine', target);
    const pushed = await docker.run('push', target);
    const digest = new RegExp(`${version}: digest: (sha256:[0-9a-f]{64}) size: \\d+$`).exec(pushed)?.[1];
    assert.ok(digest, pushed);
    const removed = await docker.run('rmi', target, 'me/mine');
    assert.match(removed, new RegExp(`^Untagged: ${target}$`, 'm'));
    assert.match(removed, /^Deleted: sha256:/m);
    assert.match(await docker.run('pull', target), new RegExp(`\\nDigest: ${digest}\\n`));
    assert.equal(
      await docker.run('inspect', '-f', '{{index .RepoDigests 0}}', target),
      `${target.replace(/:[^:]*$/, '')}@${digest}`,
    );
    assert.equal(
      await docker.run('run', '--rm', target, 'sh', '-c', 'cat /mine; ls /etc'),
      'mine\nhostname\nhosts\npasswd\nresolv.conf',
    );
    assert.match(await docker.run('history', target), /mine\n[\s\S]*CMD/);
  });

  test('logs, top, kill, pause, rename and restart do their work', async () => {
    const name = `verbs-${version}`;
    await docker.run('run', '-d', '--name', name, 'busybox', 'sh', '-c', 'echo one; echo two >&2; exec sleep 1000');
    const logs = await docker.try(['logs', name]);
    assert.deepEqual([logs.stdout, logs.stderr], ['one\n', 'two\n']);
    assert.match(await docker.run('logs', '-t', '--tail', '1', name), /^(\d{4}-\d\d-\d\dT[\d:.]+Z one)?$/);
    assert.match(await docker.run('top', name), /^UID +PID +PPID[\s\S]*sleep 1000/);
    await docker.run('pause', name);
    assert.match(await docker.run('ps'), /\(Paused\)/);
    await docker.run('unpause', name);
    await docker.run('rename', name, `${name}-renamed`);
    await docker.run('restart', '-t', '0', `${name}-renamed`);
    assert.equal((await docker.try(['logs', `${name}-renamed`])).stdout, 'one\none\n');
    await docker.run('kill', `${name}-renamed`);
    assert.equal(await docker.run('wait', `${name}-renamed`), '137');
  });

  test('search finds what the Hub has', async () => {
    assert.match(
      await docker.run('search', 'busybox'),
      /^NAME +DESCRIPTION +STARS[\s\S]*\nbusybox +Busybox base image/,
    );
  });

  test('what has exited is removed, and the images with it', async () => {
    const ids = (await docker.run('ps', '-aq', '-f', 'status=exited')).split('\n');
    assert.ok(ids.length > 5);
    assert.equal(await docker.run('rm', ...ids), ids.join('\n'));
    // Those whose program could not be started were never running.
    const created = (await docker.run('ps', '-aq')).split('\n');
    assert.equal(await docker.run('ps', '-aq', '-f', 'status=created'), created.join('\n'));
    await docker.run('rm', ...created);
    assert.equal(await docker.run('ps', '-aq'), '');
    const images = await docker.run('images', '-q');
    await docker.run('rmi', '-f', ...new Set(images.split('\n')));
    assert.equal(await docker.run('images', '-aq'), '');
  });
}

/** Asks until the answer is right: a size takes a moment to arrive. */
async function untilShown(terminal: Terminal, question: string, answer: RegExp): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const from = terminal.text.length;
    terminal.type(question);
    try {
      await terminal.expect(answer, from, 1000);
      return;
    } catch (error) {
      if (attempt === 10) throw error;
    }
  }
}
