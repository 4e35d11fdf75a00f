import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { type Digest, digestOf } from '../formats/oci/digest.ts';
import { unmount, unmountFlags } from '../host/mount.ts';
import { readMounts } from '../host/mountinfo.ts';
import { removeTree } from '../host/remove-tree.ts';
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
  await removeTree(root);
});

async function layerOf(name: string, files: Readonly<Record<string, string>>, mode = 0o755): Promise<Digest> {
  const directory = path.join(root, `tree-${name}`);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(path.join(directory, path.dirname(file)), { recursive: true });
    await writeFile(path.join(directory, file), content);
  }
  await chmod(directory, mode);
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

test('prepare() names a missing layer, a bad key and too many layers, and leaves nothing', { skip }, async () => {
  const missing = digestOf('missing');
  await assert.rejects(snapshots.prepare('bad', [missing]), { kind: 'notFound', message: new RegExp(missing) });
  await assert.rejects(async () => snapshots.prepare('../bad', []), { kind: 'invalidArgument' });
  await assert.rejects(
    snapshots.prepare(
      'bad',
      Array.from({ length: 501 }, () => missing),
    ),
    { kind: 'invalidArgument' },
  );
  await assert.rejects(snapshots.mount('bad'), { kind: 'notFound' });
  assert.deepEqual(await readdir(path.join(root, 'data/snapshots-temporary')), []);
  assert.ok(!(await Array.fromAsync(snapshots.walk())).some(({ key }) => key === 'bad'));
});

test('the root shows the attributes of the topmost layer that lists it', { skip }, async () => {
  const base = await layerOf('rooted', { x: '1' }, 0o1711);
  await snapshots.prepare('rooted', [base]);
  const merged = await snapshots.mount('rooted');
  assert.equal((await stat(merged)).mode & 0o7777, 0o1711);
  assert.equal((await stat(merged)).mtimeMs, (await stat(path.join(root, 'tree-rooted'))).mtimeMs);
  assert.equal((await stat(merged)).dev, (await stat(path.join(merged, 'x'))).dev);
  assert.deepEqual(await snapshots.changes('rooted'), []);
  await snapshots.remove('rooted');
});

test('a snapshot without layers is an empty writable root', { skip }, async () => {
  await snapshots.prepare('scratch', []);
  const merged = await snapshots.mount('scratch');
  await writeFile(path.join(merged, 'a'), '');
  assert.deepEqual(await snapshots.changes('scratch'), [{ path: '/a', kind: 'added' }]);
  await snapshots.remove('scratch');
});

test('another snapshotter finds mounts again, and never mounts an upper directory twice', { skip }, async () => {
  await snapshots.releaseUnusedLayers();
  const base = await layerOf('again', { a: '1' });
  await snapshots.prepare('again', [base]);
  const merged = await snapshots.mount('again');
  await writeFile(path.join(merged, 'b'), '2');
  const options = { dataDirectory: path.join(root, 'data'), layers };
  const restarted = await openOverlaySnapshotter({ ...options, mountDirectory: path.join(root, 'mounts') });
  assert.equal(await restarted.mount('again'), merged);
  const elsewhere = await openOverlaySnapshotter({ ...options, mountDirectory: path.join(root, 'other') });
  await assert.rejects(elsewhere.mount('again'), { kind: 'conflict' });
  assert.equal(await restarted.releaseUnusedLayers(), 0);
  await restarted.unmount('again');
  await restarted.unmount('again');
  assert.equal(await restarted.releaseUnusedLayers(), 1);
  assert.equal(await readFile(path.join(await restarted.mount('again'), 'b'), 'utf8'), '2');
  await restarted.unmountAll();
  assert.ok(!(await readMounts()).some(({ mountPoint }) => mountPoint.startsWith(`${root}/`)));
  await restarted.remove('again');
});

test('snapshots of one image share its layer mounts, and may be made and removed all at once', { skip }, async () => {
  await snapshots.releaseUnusedLayers();
  const base = await layerOf('shared', { a: '1' });
  const second = await layerOf('shared2', { 'd/b': '2' });
  await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const key = `shared-${index}`;
      await snapshots.prepare(key, [base, second], { volatile: index % 2 === 0 });
      const merged = await snapshots.mount(key);
      assert.equal(await readFile(path.join(merged, 'd/b'), 'utf8'), '2');
      if (index % 3 === 0) await snapshots.unmount(key);
    }),
  );
  const mounted = (await readMounts()).filter(({ mountPoint }) =>
    mountPoint.startsWith(path.join(root, 'mounts/layers/')),
  );
  assert.equal(mounted.length, 2);
  await Promise.all(Array.from({ length: 12 }, (_, index) => snapshots.remove(`shared-${index}`)));
  assert.equal(await snapshots.releaseUnusedLayers(), 2);
});

test('remove() and pack() handle names that are not UTF-8', { skip }, async () => {
  await snapshots.prepare('bytes', []);
  const merged = await snapshots.mount('bytes');
  const name = Buffer.concat([Buffer.from(`${merged}/`), Buffer.from([0xff, 0xfe])]);
  await mkdir(name);
  await writeFile(Buffer.concat([name, Buffer.from('/x')]), 'y');
  const packed = await layers.pack(snapshots.upperDirectory('bytes'), { compression: 'none' });
  await using reader = await layers.open(packed.diffId);
  assert.deepEqual(
    [...reader.entries()].map((entry) => entry.path),
    ['', '\xff\xfe', '\xff\xfe/x'],
  );
  await snapshots.remove('bytes');
  assert.deepEqual(await readdir(path.join(root, 'data/snapshots-temporary')), []);
});

test('a chain of 120 layers mounts, though its paths do not fit one page', { skip }, async () => {
  const chain: Digest[] = [];
  for (let index = 0; index < 120; index++)
    chain.push(await layerOf(`deep${index}`, { top: String(index), [`f${index}`]: '' }));
  await snapshots.prepare('deep', chain);
  const merged = await snapshots.mount('deep');
  assert.equal(await readFile(path.join(merged, 'top'), 'utf8'), '119');
  assert.equal((await readdir(merged)).length, 121);
  await unlink(path.join(merged, 'f5'));
  assert.deepEqual(await snapshots.changes('deep'), [{ path: '/f5', kind: 'deleted' }]);
  await snapshots.remove('deep');
  assert.equal(await snapshots.releaseUnusedLayers(), 120);
});
