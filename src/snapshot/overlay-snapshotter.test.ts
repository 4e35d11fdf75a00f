import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Digest, digestOf } from '../formats/oci/digest.ts';
import { unmount, unmountFlags } from '../host/mount.ts';
import { readMounts } from '../host/mountinfo.ts';
import { openErofsLayerStore, type ErofsLayerStore } from '../layer/erofs-layer-store.ts';
import { openOverlaySnapshotter, type OverlaySnapshotter } from './overlay-snapshotter.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
let root = '';
let layers: ErofsLayerStore;
let snapshots: OverlaySnapshotter;

before(async () => {
  root = await mkdtemp('/var/tmp/slipway-snapshot-');
  layers = await openErofsLayerStore(path.join(root, 'content'));
  snapshots = await openOverlaySnapshotter({
    dataDirectory: path.join(root, 'data'),
    mountDirectory: path.join(root, 'mounts'),
    layers,
  });
});

after(async () => {
  await layers[Symbol.asyncDispose]();
  for (const { mountPoint } of (await readMounts()).toReversed()) {
    if (mountPoint.startsWith(`${root}/`)) await unmount(mountPoint, unmountFlags.detach);
  }
  await rm(root, { recursive: true, force: true });
});

async function layerOf(name: string, files: Readonly<Record<string, string>>): Promise<Digest> {
  const directory = path.join(root, `tree-${name}`);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(path.join(directory, path.dirname(file)), { recursive: true });
    await writeFile(path.join(directory, file), content);
  }
  const tar = execFileSync('tar', ['-C', directory, '--format=pax', '-cf', '-', '.'], { maxBuffer: 1e8 });
  const diffId = digestOf(tar);
  await writeFile(path.join(root, `${name}.tar`), tar);
  await layers.import(diffId, path.join(root, `${name}.tar`));
  return diffId;
}

test('import, prepare, mount, pack: changes come back as a layer', { skip }, async () => {
  const base = await layerOf('base', { 'etc/a': 'one', 'etc/b': 'two', 'usr/bin/x': 'x'.repeat(100_000) });
  const second = await layerOf('second', { 'etc/b': 'three' });
  await snapshots.prepare('one', [base, second]);
  await assert.rejects(snapshots.prepare('one', [base]), { kind: 'alreadyExists' });
  const merged = await snapshots.mount('one');
  assert.equal(await snapshots.mount('one'), merged);
  assert.equal(await readFile(path.join(merged, 'etc/a'), 'utf8'), 'one');
  assert.equal(await readFile(path.join(merged, 'etc/b'), 'utf8'), 'three');
  await writeFile(path.join(merged, 'etc/c'), 'new');
  await writeFile(path.join(merged, 'etc/a'), 'changed');
  await unlink(path.join(merged, 'etc/b'));
  await symlink('x', path.join(merged, 'usr/bin/y'));
  assert.deepEqual(await snapshots.changes('one'), [
    { path: '/etc', kind: 'modified' },
    { path: '/etc/a', kind: 'modified' },
    { path: '/etc/b', kind: 'deleted' },
    { path: '/etc/c', kind: 'added' },
    { path: '/usr', kind: 'modified' },
    { path: '/usr/bin', kind: 'modified' },
    { path: '/usr/bin/y', kind: 'added' },
  ]);
  assert.ok((await snapshots.usageBytes('one')) > 0);
  for (const compression of ['gzip', 'zstd', 'none'] as const) {
    const packed = await layers.pack(snapshots.upperDirectory('one'), { compression });
    assert.equal(packed.blob.digest, digestOf(await readFile(packed.blob.file)));
    assert.equal(packed.blob.sizeBytes, (await stat(packed.blob.file)).size);
    await layers.remove(packed.diffId);
    await layers.import(packed.diffId, packed.blob.file);
    await snapshots.prepare(`two-${compression}`, [base, second, packed.diffId], { volatile: true });
    const again = await snapshots.mount(`two-${compression}`);
    assert.equal(await readFile(path.join(again, 'etc/a'), 'utf8'), 'changed');
    assert.equal(await readFile(path.join(again, 'etc/c'), 'utf8'), 'new');
    await assert.rejects(stat(path.join(again, 'etc/b')), { code: 'ENOENT' });
    assert.equal(await readlink(path.join(again, 'usr/bin/y')), 'x');
    await snapshots.unmount(`two-${compression}`);
    await snapshots.mount(`two-${compression}`);
    await snapshots.remove(`two-${compression}`);
  }
  await snapshots.remove('one');
  await snapshots.remove('one');
  assert.ok((await snapshots.releaseUnusedLayers()) >= 2);
  assert.deepEqual(
    (await readMounts()).filter(({ mountPoint }) => mountPoint.startsWith(root)).map(({ mountPoint }) => mountPoint),
    [],
  );
});
