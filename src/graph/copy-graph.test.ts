import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../base/errors.ts';
import { collect } from '../base/streams.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { digestOf, type Digest } from '../formats/oci/digest.ts';
import { mediaTypes } from '../formats/oci/media-types.ts';
import { copyGraph, type CopyProgress, type CopyTarget } from './copy-graph.ts';
import { sampleImage, sampleIndex, sampleSource, type SampleImage } from './sample-image.ts';
import { walkGraph } from './walk.ts';

function recordingTarget(present: Iterable<Digest> = []): CopyTarget & { readonly order: Digest[] } {
  const held = new Set(present);
  const order: Digest[] = [];
  return {
    order,
    has: (descriptor) => Promise.resolve(held.has(descriptor.digest)),
    async push(descriptor, open, options) {
      await collect(await open(0), 1 << 20, 'content');
      options?.onBytes?.(descriptor.size);
      held.add(descriptor.digest);
      order.push(descriptor.digest);
      return { kind: 'pushed' };
    },
  };
}

const first = sampleImage(['a', 'b', 'shared']);
const second = sampleImage(['shared', 'c'], 'arm64');
const index = sampleIndex({ 'linux/amd64': first, 'linux/arm64': second });

test('copyGraph() copies children before parents, each digest once, and tells when each is ready', async () => {
  const target = recordingTarget();
  const source = sampleSource(index);
  const ready: Digest[] = [];
  await copyGraph(source, target, index.root, { onReady: (descriptor) => ready.push(descriptor.digest) });
  assert.equal(target.order.length, index.contents.size);
  assert.equal(new Set(source.fetched).size, source.fetched.length);
  assert.deepEqual(ready, target.order);
  const position = (descriptor: Descriptor): number => target.order.indexOf(descriptor.digest);
  for (const image of [first, second]) {
    for (const child of [image.config, ...image.layers]) assert.ok(position(child) < position(image.root));
    assert.ok(position(image.root) < position(index.root));
  }
});

test('copyGraph() skips what the target has and what select leaves out', async () => {
  const target = recordingTarget([first.config.digest]);
  const progress: CopyProgress[] = [];
  await copyGraph(sampleSource(index), target, index.root, {
    select: (_descriptor, document) =>
      document.kind === 'index'
        ? document.manifests.filter((child) => child.platform?.architecture === 'amd64')
        : undefined,
    onProgress: (event) => progress.push(event),
  });
  assert.equal(target.order.length, first.contents.size);
  assert.ok(!target.order.includes(first.config.digest));
  const phases = (digest: Digest): string[] =>
    progress.filter((event) => event.descriptor.digest === digest).map((event) => event.phase);
  assert.deepEqual(phases(first.config.digest), ['waiting', 'exists']);
  assert.deepEqual(phases(first.root.digest), ['waiting', 'transferring', 'verifying', 'done']);
});

test('copyGraph() reads manifests that the target has from `present`', async () => {
  const source = sampleSource(first);
  await copyGraph(source, recordingTarget(first.contents.keys()), first.root, { present: sampleSource(first) });
  assert.deepEqual(source.fetched, []);
});

test('copyGraph() cancels the others when one fails and throws the first failure', async () => {
  const broken: SampleImage = {
    ...first,
    contents: new Map([...first.contents].filter(([key]) => key !== first.layers[1]?.digest)),
  };
  const target = recordingTarget();
  await assert.rejects(copyGraph(sampleSource(broken), target, first.root), (error) => {
    return error instanceof EngineError && error.kind === 'notFound';
  });
  assert.ok(!target.order.includes(first.root.digest));
});

test('copyGraph() ends with the caller’s reason when cancelled', async () => {
  const reason = new Error('enough');
  await assert.rejects(
    copyGraph(sampleSource(first), recordingTarget(), first.root, { signal: AbortSignal.abort(reason) }),
    reason,
  );
});

test('copyGraph() refuses wrong manifest bytes, one digest with two sizes, and endless nesting', async () => {
  const wrong: SampleImage = {
    ...first,
    contents: new Map([...first.contents, [first.root.digest, Buffer.from('{}')]]),
  };
  await assert.rejects(copyGraph(sampleSource(wrong), recordingTarget(), first.root), /unexpected size 2/);

  const twice = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: first.config,
    layers: [first.layers[0], { ...first.layers[0], size: 99 }],
  });
  const root = { mediaType: mediaTypes.ociManifest, digest: digestOf(twice), size: twice.length };
  const contents = new Map([...first.contents, [root.digest, Buffer.from(twice)]]);
  await assert.rejects(copyGraph(sampleSource({ ...first, contents }), recordingTarget(), root), /two sizes/);

  let nested = index;
  for (let level = 0; level < 9; level++) nested = sampleIndex({ 'linux/amd64': nested });
  await assert.rejects(copyGraph(sampleSource(nested), recordingTarget(), nested.root), /levels deep/);
});

test('walkGraph() yields parents first and each digest once', async () => {
  const nodes = await Array.fromAsync(walkGraph(sampleSource(index), index.root));
  assert.equal(nodes.length, index.contents.size);
  assert.equal(nodes[0]?.descriptor.digest, index.root.digest);
});
