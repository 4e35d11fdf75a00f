import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { EngineError } from '../base/errors.ts';
import { ContentGraph } from '../content/content-graph.ts';
import { MemoryContentStore } from '../content/memory-store.ts';
import { parseReference } from '../formats/oci/reference.ts';
import { copyGraph, type CopyProgress } from '../graph/copy-graph.ts';
import { sampleImage, sampleIndex, sampleSource } from '../graph/sample-image.ts';
import { RegistryClient } from '../remote/registry-client.ts';
import { createHub, type Hub } from './hub.ts';

async function withHub(body: (hub: Hub, dataRoot: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp('/var/tmp/slipway-hub-');
  const dataRoot = path.join(root, 'data');
  try {
    await using hub = await createHub({ dataRoot, listen: '127.0.0.1:0' });
    await body(hub, dataRoot);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const image = sampleImage([randomBytes(3_000_000), 'small', '']);
const index = sampleIndex({ 'linux/amd64': image, 'linux/arm64': sampleImage(['arm'], 'arm64') });

test('an image goes to the Hub and comes back; what is there is not sent again, and is mounted elsewhere', () =>
  withHub(async (hub) => {
    using client = new RegistryClient();
    const repository = client.openRepository(parseReference(`${hub.address}/me/mine`));
    await copyGraph(sampleSource(index), repository, index.root);
    await repository.tag(index.root, 'v1');
    assert.deepEqual(await repository.resolve('v1'), index.root);

    const back = new ContentGraph(new MemoryContentStore());
    const fresh = client.openRepository(parseReference(`${hub.address}/me/mine`));
    await copyGraph(fresh, back, await fresh.resolve('v1'));
    for (const [digest, content] of index.contents) {
      assert.ok(await back.has({ mediaType: '', digest, size: content.length }));
    }

    const phases = async (target: typeof fresh): Promise<readonly string[]> => {
      const events: CopyProgress[] = [];
      await copyGraph(back, target, index.root, { onProgress: (event) => events.push(event) });
      const ends = events.filter((event) => ['exists', 'mounted', 'done'].includes(event.phase));
      assert.equal(ends.length, index.contents.size);
      return [...new Set(ends.map((event) => event.phase))].toSorted();
    };
    assert.deepEqual(await phases(fresh), ['exists']);
    const other = client.openRepository(parseReference(`${hub.address}/me/other`), {
      mountFrom: () => ['me/none', 'me/mine'],
    });
    assert.deepEqual(await phases(other), ['done', 'mounted']);
  }));

test('the Hub as a mirror of docker.io serves official images, and its search finds them', () =>
  withHub(async (hub) => {
    const hosts = { mirrors: [`http://${hub.address}`] };
    using client = new RegistryClient({ hosts });
    const seeded = client.openRepository(parseReference(`${hub.address}/library/busybox`));
    await copyGraph(sampleSource(image), seeded, image.root);
    await seeded.tag(image.root, 'latest');
    const user = client.openRepository(parseReference(`${hub.address}/me/busybox-tools`));
    await copyGraph(sampleSource(image), user, image.root);
    const describe = (body: object): Promise<Response> =>
      fetch(`http://${hub.address}/api/repositories/library/busybox`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    assert.equal((await describe({ description: 'Small tools, 100% of them' })).status, 200);
    assert.equal((await describe({ description: 7 })).status, 400);

    const official = client.openRepository(parseReference('busybox'));
    assert.deepEqual(await official.resolve('latest'), image.root);
    const found = await client.search('docker.io', 'busybox', { limit: 25 });
    assert.deepEqual(found, [
      { name: 'busybox', description: 'Small tools, 100% of them', starCount: 0, isOfficial: true },
      { name: 'me/busybox-tools', description: '', starCount: 0, isOfficial: false },
    ]);
    assert.deepEqual(await client.search('docker.io', '100%', { limit: 1 }), found.slice(0, 1));
    assert.equal((await client.search(hub.address, 'tools', { limit: 1 })).length, 1);
    assert.deepEqual(await client.search('docker.io', 'nothing-like-it', { limit: 25 }), []);
  }));

test('what the Hub acknowledged is there after a restart, begun uploads included', () =>
  withHub(async (first, dataRoot) => {
    using client = new RegistryClient();
    const repository = client.openRepository(parseReference(`${first.address}/me/mine`));
    await copyGraph(sampleSource(image), repository, image.root);
    await repository.tag(image.root, 'kept');
    const started = await fetch(`http://${first.address}/v2/me/mine/blobs/uploads/`, { method: 'POST' });
    const location = started.headers.get('location') ?? '';
    await fetch(`http://${first.address}${location}`, { method: 'PATCH', body: 'begun' });
    await first[Symbol.asyncDispose]();

    await using second = await createHub({ dataRoot, listen: '127.0.0.1:0' });
    const again = client.openRepository(parseReference(`${second.address}/me/mine`));
    assert.deepEqual(await again.resolve('kept'), image.root);
    const state = await fetch(`http://${second.address}${location}`);
    assert.equal(state.headers.get('range'), '0-4');
  }));

test('createHub() says who cannot listen where', () =>
  withHub(async (hub, dataRoot) => {
    const other = createHub({ dataRoot: `${dataRoot}-other`, listen: hub.address });
    await assert.rejects(other, (error) => {
      assert.ok(error instanceof EngineError && error.kind === 'failedPrecondition');
      assert.equal(error.message, `hub cannot listen on ${hub.address}: address already in use`);
      return true;
    });
    await assert.rejects(createHub({ dataRoot, listen: 'nowhere' }), /invalid address/);
  }));
