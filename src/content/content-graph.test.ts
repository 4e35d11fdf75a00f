import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred } from '../base/concurrency.ts';
import type { ByteSource } from '../base/streams.ts';
import { digestOf } from '../formats/oci/digest.ts';
import { copyGraph } from '../graph/copy-graph.ts';
import { sampleImage, sampleSource } from '../graph/sample-image.ts';
import { ContentGraph } from './content-graph.ts';
import { DigestMismatchError } from './digest-mismatch-error.ts';
import { MemoryContentStore } from './memory-store.ts';
import { readBytes } from './write-blob.ts';

const content = Buffer.from('x'.repeat(10_000));
const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(content), size: content.length };

async function* chunks(from: number, gate?: Promise<unknown>): ByteSource {
  for (let start = from; start < content.length; start += 1000) {
    yield content.subarray(start, Math.min(start + 1000, content.length));
    await gate;
  }
}

test('ContentGraph is both ends of copyGraph', async () => {
  const image = sampleImage(['a'.repeat(5000), 'b']);
  const one = new ContentGraph(new MemoryContentStore());
  const two = new ContentGraph(new MemoryContentStore());
  await copyGraph(sampleSource(image), one, image.root);
  await copyGraph(one, two, image.root);
  for (const digest of image.contents.keys())
    assert.ok(await two.has({ ...image.root, digest, size: image.contents.get(digest)?.length ?? -1 }));
});

test('ContentGraph.push() shares one transfer between two copies, and both hear of its bytes', async () => {
  const store = new MemoryContentStore();
  const graph = new ContentGraph(store);
  const gate = deferred<void>();
  let opened = 0;
  const open = (offset: number): Promise<ByteSource> => {
    opened++;
    return Promise.resolve(chunks(offset, gate.promise));
  };
  const heard: number[] = [];
  const both = [graph.push(descriptor, open), graph.push(descriptor, open, { onBytes: (total) => heard.push(total) })];
  gate.resolve();
  await Promise.all(both);
  assert.equal(opened, 1);
  assert.equal(heard.at(-1), content.length);
  assert.ok((await readBytes(store, descriptor.digest, content.length)).equals(content));
});

test('ContentGraph.push() goes on with the other copy’s source when the first is cancelled', async () => {
  const store = new MemoryContentStore();
  const graph = new ContentGraph(store);
  const gate = deferred<void>();
  const cancel = new AbortController();
  const first = graph.push(descriptor, (offset) => Promise.resolve(chunks(offset, gate.promise)), {
    signal: cancel.signal,
  });
  const offsets: number[] = [];
  const second = graph.push(descriptor, (offset) => {
    offsets.push(offset);
    return Promise.resolve(chunks(offset));
  });
  await new Promise((resolve) => setImmediate(resolve));
  cancel.abort(new Error('cancelled'));
  gate.resolve();
  await assert.rejects(first, /cancelled/);
  await second;
  assert.deepEqual(offsets, [1000]);
  assert.ok(await graph.has(descriptor));
});

test('ContentGraph.push() tries wrong bytes once more from the start, then refuses and keeps nothing', async () => {
  const store = new MemoryContentStore();
  const graph = new ContentGraph(store);
  const offsets: number[] = [];
  const wrong = async function* (): ByteSource {
    yield Buffer.from('y'.repeat(content.length));
  };
  const bad = graph.push(descriptor, (offset) => {
    offsets.push(offset);
    return Promise.resolve(wrong());
  });
  await assert.rejects(bad, DigestMismatchError);
  assert.deepEqual(offsets, [0, 0]);
  await assert.rejects(
    graph.push(descriptor, async () => chunksAndMore()),
    DigestMismatchError,
  );
  assert.equal(await graph.has(descriptor), false);
  await graph.push(descriptor, (offset) => Promise.resolve(chunks(offset)));
  assert.ok(await graph.has(descriptor));
});

async function* chunksAndMore(): ByteSource {
  yield* chunks(0);
  yield Buffer.from('more');
}
