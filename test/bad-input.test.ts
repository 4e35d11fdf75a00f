/** What registries, clients and the machine do wrong gets a clear error, leaves nothing behind, and the engine goes on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ScriptedAnswer } from '../src/remote/scripted-registry.ts';
import { withoutDocker } from './harness/docker.ts';
import { imageOf, serveImage, type ImageBytes } from './harness/faulty-registry.ts';
import { exchangeBytes, type Answer } from './harness/http.ts';
import { openWorld, type World } from './harness/world.ts';
import { file, tar as tarOf } from './zoo/tar-bytes.ts';

let world: World;

/** A small file of random bytes, in a tar. */
const tar = tarOf(file('x', randomBytes(200_000)));
const good = imageOf(tar);

function pull(host: string, tag = '1'): Promise<Answer> {
  return world.request('POST', `/images/create?fromImage=${host}/bad/image&tag=${tag}`, { timeoutMs: 60_000 });
}

/** What went wrong: a status and its message, or the error within a stream of progress. */
function problemOf({ status, body }: Answer): string {
  if (status !== 200) return `${status} ${(JSON.parse(body) as { readonly message: string }).message}`;
  const lines = body.trim().split('\n');
  return `200 ${(JSON.parse(lines.at(-1) ?? '{}') as { readonly error?: string }).error ?? 'no error'}`;
}

async function imageCount(): Promise<number> {
  return (JSON.parse((await world.request('GET', '/images/json?all=1')).body) as readonly unknown[]).length;
}

interface Fault {
  readonly what: string;
  readonly image?: ImageBytes;
  readonly spoil?: (part: 'manifest' | 'config' | 'layer', count: number) => ScriptedAnswer | undefined;
  readonly tag?: string;
  readonly expected: RegExp;
}

const flipped = Buffer.from(good.layer);
flipped[1000] = (flipped[1000] ?? 0) ^ 1;
const compressed = gzipSync(tar);
const faults: readonly Fault[] = [
  {
    what: 'a layer of other bytes',
    spoil: (part) => (part === 'layer' ? { status: 200, body: flipped } : undefined),
    expected: /^200 .*(digest|sha256)/,
  },
  {
    what: 'a layer that is too short',
    spoil: (part) => (part === 'layer' ? { status: 200, body: good.layer.subarray(0, 5000) } : undefined),
    expected: /^200 .+/,
  },
  {
    what: 'a layer that is too long',
    spoil: (part) => (part === 'layer' ? { status: 200, body: Buffer.concat([good.layer, tar]) } : undefined),
    expected: /^200 .+/,
  },
  {
    what: 'a truncated gzip stream',
    image: imageOf(tar, compressed.subarray(0, compressed.length >> 1)),
    expected: /^200 .+/,
  },
  {
    what: 'another tar than the configuration says',
    image: imageOf(tar, gzipSync(Buffer.alloc(10_240))),
    expected: /^200 .+/,
  },
  { what: 'a tar cut within a file', image: imageOf(tar.subarray(0, 100_000)), expected: /^200 .+/ },
  { what: 'no tar at all', image: imageOf(randomBytes(4096)), expected: /^200 .+/ },
  {
    what: 'a layer that is not there',
    spoil: (part) => (part === 'layer' ? { status: 404 } : undefined),
    expected: /^200 .+/,
  },
  {
    what: 'a configuration of other bytes',
    spoil: (part) => (part === 'config' ? { status: 200, body: Buffer.from(good.config).fill(32, 0, 1) } : undefined),
    expected: /^200 .+/,
  },
  {
    what: 'a manifest that is no JSON',
    spoil: (part) => (part === 'manifest' ? { status: 200, body: 'hello' } : undefined),
    expected: /^(200|400|404|500) .+/,
  },
  {
    what: 'a manifest without end',
    spoil: (part) => (part === 'manifest' ? { status: 200, body: Buffer.alloc(64 << 20, 32) } : undefined),
    expected: /^(200|400|404|500) .+/,
  },
  {
    what: 'a refusal',
    spoil: () => ({ status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' } }),
    expected: /^(401|404|500) .*(unauthorized|authentication|denied|credentials)/,
  },
  { what: 'a prohibition', spoil: () => ({ status: 403 }), expected: /^(403|404|500) .+/ },
  { what: 'an unknown tag', tag: 'none', expected: /^404 .*(manifest unknown|not found)/ },
];

describe('bad input', { skip: withoutDocker ?? false }, () => {
  before(async () => {
    world = await openWorld({ images: ['busybox'] });
    await world.docker.run('pull', '-q', 'busybox');
  });
  after(() => world[Symbol.asyncDispose]());

  for (const { what, image = good, spoil, tag, expected } of faults) {
    test(`a registry serves ${what}`, async () => {
      await using registry = await serveImage(image, spoil);
      assert.match(problemOf(await pull(registry.host, tag)), expected);
      assert.equal(await imageCount(), 1);
      assert.equal((await world.request('GET', '/_ping')).body, 'OK');
    });
  }

  test('a registry that asks for patience gets it', async () => {
    const late = { status: 429, headers: { 'Retry-After': '1' } };
    await using registry = await serveImage(good, (part, count) =>
      part === 'layer' && count === 1 ? late : undefined,
    );
    const begin = Date.now();
    assert.equal(problemOf(await pull(registry.host)), '200 no error');
    assert.ok(Date.now() - begin >= 1000);
    await world.docker.run('rmi', `${registry.host}/bad/image:1`);
  });

  test('after all the faults an honest registry is pulled from', async () => {
    await using registry = await serveImage(good);
    assert.equal(problemOf(await pull(registry.host)), '200 no error');
    await world.docker.run('rmi', `${registry.host}/bad/image:1`);
    assert.equal(await imageCount(), 1);
  });

  test('a server that speaks no HTTP, and none at all', async () => {
    const server = net.createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('\x15\x03\x01\x00\x02\x02\x0a'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    assert.match(problemOf(await pull(`127.0.0.1:${port}`)), /^(404|500) .+/);
    await new Promise((resolve) => server.close(resolve));
    assert.match(problemOf(await pull(`127.0.0.1:${port}`)), /^500 .*connection refused/);
  });

  test('a port that is taken', async () => {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    const { port } = server.address() as net.AddressInfo;
    const { code, stderr } = await world.docker.try(['run', '--rm', '-p', `${port}:80`, 'busybox', 'true']);
    assert.equal(code, 125);
    assert.match(stderr, /address already in use|port is already allocated/);
    await new Promise((resolve) => server.close(resolve));
    const id = await world.docker.run('run', '-d', '-p', `${port}:80`, 'busybox', 'sleep', '100');
    const again = await world.docker.try(['run', '-p', `${port}:80`, 'busybox', 'true']);
    assert.equal(again.code, 125);
    assert.match(again.stderr, /Bind for 0\.0\.0\.0:\d+ failed: port is already allocated/);
    await world.docker.run('rm', '-f', id);
    assert.equal((await world.docker.try(['run', '--rm', '-p', `${port}:80`, 'busybox', 'true'])).code, 0);
  });

  test('bad flags end with 125', async () => {
    for (const flags of [['--memory', '1'], ['--cap-add', 'nope'], ['--restart', 'x'], ['-v', '/tmp:/'], ['--nope']])
      assert.equal((await world.docker.try(['run', ...flags, 'busybox', 'true'])).code, 125, flags.join(' '));
  });

  test('labels and variables named like parts of objects stay what they are', async () => {
    const Labels = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}') as object;
    const made = await world.request('POST', '/containers/create', {
      body: { Image: 'busybox', Labels, Env: ['__proto__=x', 'constructor=y'], Cmd: ['env'] },
    });
    assert.equal(made.status, 201, made.body);
    const { Id } = JSON.parse(made.body) as { readonly Id: string };
    const inspected = await world.docker.run('inspect', '-f', '{{json .Config.Labels}}', Id);
    assert.equal(inspected, '{"__proto__":"a","constructor":"b","toString":"c"}');
    assert.match(await world.docker.run('start', '-a', Id), /__proto__=x\nconstructor=y|constructor=y/);
    await world.docker.run('rm', Id);
  });

  test('large, deep and broken requests', async () => {
    const body = `{"Image":"busybox","Env":["A=${'x'.repeat(8 << 20)}"]}`;
    const large = await world.request('POST', '/containers/create', { body });
    assert.ok(large.status === 400 || large.status === 413, `${large.status}`);
    const deep = await world.request('POST', '/containers/create', { body: `${'['.repeat(100_000)}` });
    assert.equal(deep.status, 400);
    const { socketPath } = world.engine;
    assert.match(await exchangeBytes(socketPath, 'NONSENSE\r\n\r\n'), /^HTTP\/1\.1 400 /);
    const climbing = 'GET /v1.51/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    assert.match(await exchangeBytes(socketPath, climbing), /^HTTP\/1\.1 404 /);
    for (const name of ['../x', '..%2fx', 'a%2fb', `${'a'.repeat(5000)}!`, '%00'])
      assert.ok([400, 404].includes((await world.request('GET', `/containers/${name}/json`)).status), name);
    assert.equal((await world.request('GET', '/_ping')).body, 'OK');
  });

  test('a client that goes away in the middle of a pull leaves an engine that pulls', async () => {
    await using registry = await serveImage(good);
    await assert.rejects(
      world.request('POST', `/images/create?fromImage=${registry.host}/bad/image&tag=1`, {
        signal: AbortSignal.timeout(15),
      }),
    );
    assert.equal(problemOf(await pull(registry.host)), '200 no error');
    await world.docker.run('rmi', `${registry.host}/bad/image:1`);
  });
});

test(
  'a full disk is told, leaves no image, and room makes the pull work',
  { skip: withoutDocker ?? false },
  async () => {
    const folder = `/var/tmp/slipway-full-${randomBytes(4).toString('hex')}`;
    const disk = path.join(folder, 'disk');
    const mountPoint = path.join(folder, 'mnt');
    await mkdir(mountPoint, { recursive: true });
    await writeFile(disk, '');
    await truncate(disk, 64 << 20);
    execFileSync('mkfs.ext4', ['-q', '-F', disk]);
    execFileSync('mount', ['-o', 'loop', disk, mountPoint]);
    try {
      await using small = await openWorld({ images: [], dataRoot: path.join(mountPoint, 'data') });
      // Hardly anything over the wire, far too much on the disk.
      await using bomb = await serveImage(imageOf(tarOf(file('x', Buffer.alloc(200 << 20)))));
      const answer = await small.request('POST', `/images/create?fromImage=${bomb.host}/bad/image&tag=1`);
      assert.match(problemOf(answer), /no space left on device/);
      assert.equal((await small.request('GET', '/images/json')).body.trim(), '[]');
      await using registry = await serveImage(good);
      const pulled = await small.request('POST', `/images/create?fromImage=${registry.host}/bad/image&tag=1`);
      assert.equal(problemOf(pulled), '200 no error');
    } finally {
      execFileSync('umount', [mountPoint]);
      await rm(folder, { recursive: true, force: true });
    }
  },
);
