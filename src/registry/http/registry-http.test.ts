import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import type { Clock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { MemoryContentStore } from '../../content/memory-store.ts';
import { Database } from '../../db/database.ts';
import { digestOf } from '../../formats/oci/digest.ts';
import { mediaTypes } from '../../formats/oci/media-types.ts';
import { sampleImage, type SampleImage } from '../../graph/sample-image.ts';
import { Registry } from '../registry.ts';
import { registryMetadataMigrations, SqliteRegistryMetadata } from '../sqlite-metadata.ts';
import { createRegistryHandler } from './handler.ts';
import { parseRange } from './blobs.ts';

interface Fixture {
  readonly base: string;
  readonly registry: Registry;
  readonly clock: { now(): Date; set(date: Date): void };
}

async function withRegistry(body: (fixture: Fixture) => Promise<void>): Promise<void> {
  const root = await mkdtemp('/var/tmp/slipway-registry-');
  let time = new Date('2026-01-01T00:00:00Z');
  const clock: Clock & { set(date: Date): void } = { now: () => time, set: (date) => void (time = date) };
  try {
    await using database = await Database.open(path.join(root, 'hub.db'), registryMetadataMigrations);
    const metadata = new SqliteRegistryMetadata(database, clock);
    const registry = new Registry({ content: new MemoryContentStore(), metadata, clock });
    const handler = createRegistryHandler({
      registry,
      log: silentLogger,
      authorize: async () => ({ name: 'tester' }),
    });
    const server = http.createServer((request, response) => void handler(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await body({ base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, registry, clock });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function pushBlob(base: string, repository: string, content: Buffer): Promise<string> {
  const digest = digestOf(content);
  const url = `${base}/v2/${repository}/blobs/uploads/?digest=${digest}`;
  const response = await fetch(url, { method: 'POST', body: new Uint8Array(content) });
  assert.equal(response.status, 201, await response.text());
  return digest;
}

async function pushImage(base: string, repository: string, tag: string, image: SampleImage): Promise<void> {
  for (const [digest, content] of image.contents)
    if (digest !== image.root.digest) await pushBlob(base, repository, content);
  const response = await putManifest(base, repository, tag, image.contents.get(image.root.digest) ?? Buffer.alloc(0));
  assert.equal(response.status, 201, await response.text());
}

function putManifest(
  base: string,
  repository: string,
  reference: string,
  content: Buffer | string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${base}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    body: new Uint8Array(Buffer.from(content)),
    headers: { 'content-type': mediaTypes.ociManifest, ...headers },
  });
}

async function codeOf(response: Response): Promise<string> {
  const document = (await response.json()) as { errors: { code: string }[] };
  return document.errors[0]?.code ?? '';
}

const image = sampleImage([randomBytes(2000), 'two']);

test('an image comes back byte for byte, by tag and digest, with its headers', () =>
  withRegistry(async ({ base }) => {
    await pushImage(base, 'me/mine', '1', image);
    for (const reference of ['1', image.root.digest]) {
      const response = await fetch(`${base}/v2/me/mine/manifests/${reference}`);
      assert.equal(response.headers.get('docker-content-digest'), image.root.digest);
      assert.equal(response.headers.get('content-type'), mediaTypes.ociManifest);
      assert.equal(response.headers.get('etag'), `"${image.root.digest}"`);
      assert.ok(
        Buffer.from(await response.arrayBuffer()).equals(image.contents.get(image.root.digest) ?? Buffer.alloc(0)),
      );
    }
    const head = await fetch(`${base}/v2/me/mine/blobs/${image.config.digest}`, { method: 'HEAD' });
    assert.equal(head.headers.get('content-length'), String(image.config.size));
    const tags = await (await fetch(`${base}/v2/me/mine/tags/list`)).json();
    assert.deepEqual(tags, { name: 'me/mine', tags: ['1'] });
    const catalog = await (await fetch(`${base}/v2/_catalog`)).json();
    assert.deepEqual(catalog, { repositories: ['me/mine'] });
  }));

test('names, tags and digests that are none are refused', () =>
  withRegistry(async ({ base }) => {
    const cases: readonly (readonly [path: string, status: number, code: string])[] = [
      ['/v2/A/b/manifests/x', 400, 'NAME_INVALID'],
      ['/v2/a//b/tags/list', 400, 'NAME_INVALID'],
      ['/v2/..%2fx/tags/list', 400, 'NAME_INVALID'],
      [`/v2/${'a'.repeat(300)}/tags/list`, 400, 'NAME_INVALID'],
      ['/v2/a%00/tags/list', 400, 'NAME_INVALID'],
      [`/v2/a/manifests/${'t'.repeat(129)}`, 400, 'TAG_INVALID'],
      ['/v2/a/manifests/-x', 400, 'TAG_INVALID'],
      ['/v2/a/manifests/sha256:abc', 400, 'DIGEST_INVALID'],
      ['/v2/a/manifests/nope', 404, 'MANIFEST_UNKNOWN'],
      [`/v2/a/blobs/${image.config.digest}`, 404, 'BLOB_UNKNOWN'],
      ['/v2/a/blobs/uploads/none', 404, 'BLOB_UPLOAD_UNKNOWN'],
      ['/v2/a/tags/list', 404, 'NAME_UNKNOWN'],
      ['/v2/a/tags/list?n=-1', 400, 'PAGINATION_NUMBER_INVALID'],
      ['/v2/a/referrers/nope', 400, 'DIGEST_INVALID'],
    ];
    for (const [place, status, code] of cases) {
      const response = await fetch(base + place);
      assert.equal(response.status, status, place);
      assert.equal(await codeOf(response), code, place);
    }
    assert.equal((await fetch(`${base}/v2/manifests/blobs/tags/manifests/latest`)).status, 404);
    assert.equal((await fetch(`${base}/v2/a/tags/list`, { method: 'PATCH' })).status, 405);
  }));

test('a manifest never names what its repository lacks; a subject may be missing', () =>
  withRegistry(async ({ base }) => {
    await pushImage(base, 'one', '1', image);
    const content = image.contents.get(image.root.digest) ?? Buffer.alloc(0);
    const elsewhere = await putManifest(base, 'two', '1', content);
    assert.equal(elsewhere.status, 404);
    const { errors } = (await elsewhere.json()) as { errors: { code: string; detail: { digest: string } }[] };
    assert.deepEqual(
      errors.map((error) => error.detail.digest),
      [image.config.digest, ...image.layers.map((layer) => layer.digest)],
    );
    assert.equal((await fetch(`${base}/v2/two/tags/list`)).status, 404);
    assert.equal((await fetch(`${base}/v2/two/blobs/${image.config.digest}`)).status, 404);

    const document = JSON.parse(content.toString()) as { layers: object[] };
    const wrongSize = JSON.stringify({ ...document, layers: [{ ...document.layers[0], size: 1 }] });
    assert.equal(await codeOf(await putManifest(base, 'one', 'x', wrongSize)), 'MANIFEST_INVALID');

    const subject = { mediaType: mediaTypes.ociManifest, digest: digestOf('absent'), size: 6 };
    const referrer = JSON.stringify({ ...document, artifactType: 'application/x', subject, annotations: { a: 'b' } });
    const accepted = await putManifest(base, 'one', digestOf(referrer), referrer);
    assert.equal(accepted.headers.get('oci-subject'), subject.digest);
    const listed = await fetch(`${base}/v2/one/referrers/${subject.digest}?artifactType=application/x`);
    assert.equal(listed.headers.get('oci-filters-applied'), 'artifactType');
    const { manifests } = (await listed.json()) as { manifests: object[] };
    assert.deepEqual(manifests, [
      {
        mediaType: mediaTypes.ociManifest,
        digest: digestOf(referrer),
        size: referrer.length,
        annotations: { a: 'b' },
        artifactType: 'application/x',
      },
    ]);
    const none = await fetch(`${base}/v2/absent/referrers/${subject.digest}`);
    assert.deepEqual(((await none.json()) as { manifests: object[] }).manifests, []);
  }));

test('malformed, ambiguous, mistyped and oversized manifests are refused', () =>
  withRegistry(async ({ base }) => {
    await pushImage(base, 'a', '1', image);
    const cases: readonly (readonly [content: string, mediaType: string, status: number])[] = [
      ['', mediaTypes.ociManifest, 400],
      ['[]', mediaTypes.ociManifest, 400],
      ['{"schemaVersion":2}', mediaTypes.ociManifest, 400],
      [JSON.stringify({ mediaType: mediaTypes.ociIndex, manifests: [] }), mediaTypes.ociManifest, 400],
      [JSON.stringify({ manifests: [], layers: [] }), mediaTypes.ociIndex, 400],
      ['{}', 'application/vnd.docker.distribution.manifest.v1+prettyjws', 400],
      [`{"x":"${'x'.repeat(9 << 20)}"}`, mediaTypes.ociManifest, 413],
    ];
    for (const [content, type, status] of cases) {
      const response = await putManifest(base, 'a', 'bad', content, { 'content-type': type });
      assert.equal(response.status, status, content.slice(0, 40));
      assert.equal(await codeOf(response), 'MANIFEST_INVALID');
    }
    const content = image.contents.get(image.root.digest) ?? Buffer.alloc(0);
    assert.equal(await codeOf(await putManifest(base, 'a', digestOf('other'), content)), 'DIGEST_INVALID');
    assert.deepEqual(await (await fetch(`${base}/v2/a/tags/list`)).json(), { name: 'a', tags: ['1'] });
  }));

test('chunks must follow each other; a wrong digest ends the upload', () =>
  withRegistry(async ({ base }) => {
    const content = randomBytes(3000);
    const started = await fetch(`${base}/v2/a/blobs/uploads/`, { method: 'POST' });
    const location = base + (started.headers.get('location') ?? '');
    const patch = (start: number, end: number, range = `${start}-${end - 1}`): Promise<Response> =>
      fetch(location, {
        method: 'PATCH',
        body: new Uint8Array(content.subarray(start, end)),
        headers: { 'content-range': range },
      });
    assert.equal((await patch(0, 1000)).headers.get('range'), '0-999');
    for (const [start, end] of [
      [0, 1000],
      [500, 1500],
      [2000, 3000],
    ] as const) {
      const refused = await patch(start, end);
      assert.equal(refused.status, 416);
      assert.equal(refused.headers.get('range'), '0-999');
      assert.ok(refused.headers.get('location'));
    }
    assert.equal(await codeOf(await patch(1000, 2000, '1000-2500')), 'SIZE_INVALID');
    assert.equal((await patch(1000, 2000)).status, 202);
    const state = await fetch(location);
    assert.equal(state.status, 204);
    assert.equal(state.headers.get('range'), '0-1999');
    const done = await fetch(`${location}?digest=${digestOf(content)}`, {
      method: 'PUT',
      body: new Uint8Array(content.subarray(2000)),
    });
    assert.equal(done.status, 201);
    assert.equal((await fetch(location)).status, 404);

    const wrong = await fetch(`${base}/v2/a/blobs/uploads/?digest=${digestOf('x')}`, { method: 'POST', body: 'y' });
    assert.equal(await codeOf(wrong), 'DIGEST_INVALID');
    assert.equal((await fetch(`${base}/v2/a/blobs/${digestOf('x')}`)).status, 404);
  }));

test('blobs are mounted from where they are, and read in part', () =>
  withRegistry(async ({ base }) => {
    const digest = await pushBlob(base, 'one', Buffer.from('0123456789'));
    const mount = (query: string): Promise<Response> =>
      fetch(`${base}/v2/two/blobs/uploads/?mount=${digest}${query}`, { method: 'POST' });
    assert.equal((await mount('&from=none')).status, 202);
    assert.equal((await fetch(`${base}/v2/two/blobs/${digest}`)).status, 404);
    assert.equal((await mount('&from=one')).status, 201);
    const part = await fetch(`${base}/v2/two/blobs/${digest}`, { headers: { range: 'bytes=2-4' } });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get('content-range'), 'bytes 2-4/10');
    assert.equal(await part.text(), '234');
    assert.equal((await fetch(`${base}/v2/two/blobs/${digest}`, { headers: { range: 'bytes=10-' } })).status, 416);
  }));

test('parseRange() follows RFC 9110', () => {
  const cases: readonly (readonly [header: string | undefined, expected: ReturnType<typeof parseRange>])[] = [
    [undefined, undefined],
    ['bytes=0-', { start: 0, end: 10 }],
    ['bytes=3-100', { start: 3, end: 10 }],
    ['bytes=-3', { start: 7, end: 10 }],
    ['bytes=-30', { start: 0, end: 10 }],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-4', 'unsatisfiable'],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-', undefined],
    ['bytes=0-1,3-4', undefined],
    ['lines=0-1', undefined],
  ];
  for (const [header, expected] of cases) assert.deepEqual(parseRange(header, 10), expected, String(header));
});

test('moving a tag can be made conditional, is remembered, and outlives the tag', () =>
  withRegistry(async ({ base, clock }) => {
    const next = sampleImage(['three']);
    await pushImage(base, 'a', 'v', image);
    clock.set(new Date('2026-01-02T00:00:00Z'));
    for (const [digest, content] of next.contents) if (digest !== next.root.digest) await pushBlob(base, 'a', content);
    const content = next.contents.get(next.root.digest) ?? Buffer.alloc(0);
    const exists = await putManifest(base, 'a', 'v', content, { 'if-none-match': '*' });
    assert.equal(exists.status, 412);
    assert.equal((await putManifest(base, 'a', 'v', content, { 'if-match': `"${next.root.digest}"` })).status, 412);
    assert.equal((await putManifest(base, 'a', 'v', content, { 'if-match': `"${image.root.digest}"` })).status, 201);
    assert.equal((await putManifest(base, 'a', 'v', content)).status, 201);
    assert.equal((await fetch(`${base}/v2/a/manifests/v`, { method: 'DELETE' })).status, 202);
    assert.equal((await fetch(`${base}/v2/a/manifests/${next.root.digest}`)).status, 200);
    const { history } = (await (await fetch(`${base}/v2/a/_oci/tag-history/v`)).json()) as {
      history: { time: string; actor: string; verb: string; previous?: string; descriptor?: { digest: string } }[];
    };
    assert.deepEqual(
      history.map((entry) => [
        entry.time.slice(0, 10),
        entry.actor,
        entry.verb,
        entry.previous,
        entry.descriptor?.digest,
      ]),
      [
        ['2026-01-02', 'tester', 'untag', next.root.digest, undefined],
        ['2026-01-02', 'tester', 'push', image.root.digest, next.root.digest],
        ['2026-01-01', 'tester', 'push', undefined, image.root.digest],
      ],
    );
  }));

test('tags are listed in pages, several are set at once or none', () =>
  withRegistry(async ({ base }) => {
    await pushImage(base, 'a', 'c', image);
    const content = image.contents.get(image.root.digest) ?? Buffer.alloc(0);
    const set = await putManifest(base, 'a', `${image.root.digest}?tag=b&tag=a&tag=Z`, content);
    assert.equal(set.headers.get('oci-tag'), 'b, a, Z');
    assert.equal((await putManifest(base, 'a', `${image.root.digest}?tag=ok&tag=-bad`, content)).status, 400);
    const all: string[] = [];
    let next: string | undefined = '/v2/a/tags/list?n=3';
    while (next !== undefined) {
      const response: Response = await fetch(base + next);
      all.push(...((await response.json()) as { tags: string[] }).tags);
      next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    assert.deepEqual(all, ['Z', 'a', 'b', 'c']);
    const empty = await fetch(`${base}/v2/a/tags/list?n=0`);
    assert.equal(empty.headers.get('link'), null);
    assert.deepEqual(((await empty.json()) as { tags: string[] }).tags, []);
  }));

test('what is needed cannot be deleted; a deleted manifest takes its tags along', () =>
  withRegistry(async ({ base }) => {
    await pushImage(base, 'a', '1', image);
    const remove = async (place: string): Promise<number> =>
      (await fetch(`${base}/v2/a/${place}`, { method: 'DELETE' })).status;
    assert.equal(await remove(`blobs/${image.config.digest}`), 403);
    const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [image.root] });
    await putManifest(base, 'a', 'index', index, { 'content-type': mediaTypes.ociIndex });
    assert.equal(await remove(`manifests/${image.root.digest}`), 403);
    assert.equal(await remove(`manifests/${digestOf(index)}`), 202);
    assert.equal(await remove(`manifests/${image.root.digest}`), 202);
    assert.equal(await remove(`manifests/${image.root.digest}`), 404);
    assert.equal(await remove(`blobs/${image.config.digest}`), 202);
    assert.deepEqual(((await (await fetch(`${base}/v2/a/tags/list`)).json()) as { tags: string[] }).tags, []);
  }));

test('an upload that is cut keeps what arrived; idle ones are given up', () =>
  withRegistry(async ({ base, registry, clock }) => {
    const started = await fetch(`${base}/v2/a/blobs/uploads/`, { method: 'POST' });
    const location = started.headers.get('location') ?? '';
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const cut = http.request(base + location, { method: 'PATCH', headers: { 'content-length': 10_000 } });
    cut.on('error', () => resolve());
    cut.write(Buffer.alloc(4000));
    const offset = async (): Promise<string | null> => (await fetch(base + location)).headers.get('range');
    for (let tries = 0; tries < 200 && (await offset()) !== '0-3999'; tries++)
      await new Promise((wait) => setImmediate(wait));
    cut.destroy(new Error('cut'));
    await closed;
    assert.equal(await offset(), '0-3999');
    assert.equal(await registry.expireUploads(new Date('2025-12-31')), 0);
    clock.set(new Date('2026-01-03'));
    assert.equal(await registry.expireUploads(new Date('2026-01-02')), 1);
    assert.equal((await fetch(base + location)).status, 404);
  }));
