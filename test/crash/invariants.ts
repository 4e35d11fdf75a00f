/** What must hold on a data root after any crash (see docs/decisions/engine.md): checked through the API and on the disk. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { EngineProcess } from '../harness/engine-process.ts';
import { requestOn } from '../harness/http.ts';

/** What clients were told is done. */
export interface Promised {
  readonly images: readonly string[];
  readonly absentImages: readonly string[];
  readonly containers: readonly string[];
}

/** Starts an engine on the data root, without any manual step, and checks it. */
export async function checkAfterCrash(engine: EngineProcess, promised: Promised, label: string): Promise<void> {
  await engine.start();
  const get = (target: string): ReturnType<typeof requestOn> =>
    requestOn(engine.socketPath, 'GET', target, { timeoutMs: 20_000 });
  const images = JSON.parse((await get('/images/json?all=1')).body) as readonly {
    readonly Id: string;
    readonly RepoTags: readonly string[];
  }[];
  const names = images.flatMap(({ RepoTags }) => RepoTags);
  for (const name of promised.images) assert.ok(names.includes(name), `${label}: ${name} was acknowledged and is gone`);
  for (const name of promised.absentImages)
    assert.ok(!names.includes(name), `${label}: ${name} was removed and is back`);
  for (const { Id } of images) {
    const inspected = await get(`/images/${Id}/json`);
    assert.equal(inspected.status, 200, `${label}: a listed image is whole: ${inspected.body}`);
    await runOnce(engine, Id, label);
  }
  const containers = JSON.parse((await get('/containers/json?all=1')).body) as readonly { readonly Id: string }[];
  for (const id of promised.containers)
    assert.ok(
      containers.some(({ Id }) => Id === id),
      `${label}: container ${id} was acknowledged and is gone`,
    );
  await checkBlobs(engine.settings.dataRoot, label);
}

/** An image that is listed can be run: its layers are whole. */
async function runOnce(engine: EngineProcess, image: string, label: string): Promise<void> {
  const post = (target: string, body?: object): ReturnType<typeof requestOn> =>
    requestOn(engine.socketPath, 'POST', target, { timeoutMs: 20_000, ...(body ? { body } : {}) });
  const created = await post('/containers/create', {
    Image: image,
    Cmd: ['/bin/cat', '/bin/cat'],
    HostConfig: { NetworkMode: 'none' },
  });
  assert.equal(created.status, 201, `${label}: ${created.body}`);
  const { Id } = JSON.parse(created.body) as { readonly Id: string };
  const started = await post(`/containers/${Id}/start`);
  assert.equal(started.status, 204, `${label}: ${started.body}`);
  const waited = await post(`/containers/${Id}/wait`);
  assert.match(waited.body, /"StatusCode":0/, label);
  const removed = await requestOn(engine.socketPath, 'DELETE', `/containers/${Id}?force=1`, { timeoutMs: 20_000 });
  assert.equal(removed.status, 204, removed.body);
}

/** Every blob is what its name says. */
async function checkBlobs(dataRoot: string, label: string): Promise<void> {
  const root = path.join(dataRoot, 'content/blobs/sha256');
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const hash = createHash('sha256');
    for await (const bytes of createReadStream(path.join(entry.parentPath, entry.name))) hash.update(bytes as Buffer);
    assert.equal(hash.digest('hex'), entry.name, `${label}: blob ${entry.name} has other content`);
  }
}
