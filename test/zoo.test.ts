/** The layer zoo: odd layers must come out as umoci unpacks them, in both forms of layers; hostile ones must be refused. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Digest, digestOf } from '../src/formats/oci/digest.ts';
import { unmount, unmountFlags } from '../src/host/mount.ts';
import { readMounts } from '../src/host/mountinfo.ts';
import { removeTree } from '../src/host/remove-tree.ts';
import { openDirectoryLayerStore } from '../src/layer/directory-layer-store.ts';
import { openErofsLayerStore } from '../src/layer/erofs-layer-store.ts';
import type { LayerStore } from '../src/layer/layer-store.ts';
import { openOverlaySnapshotter, type OverlaySnapshotter } from '../src/snapshot/overlay-snapshotter.ts';
import { listTree } from '../tools/tree-digest.ts';
import { blobs } from './zoo/blobs.ts';
import type { ZooCase } from './zoo/case.ts';
import { changedBase, changeTree } from './zoo/changes.ts';
import { hostile } from './zoo/hostile.ts';
import { ordinary } from './zoo/ordinary.ts';
import { replaced } from './zoo/replaced.ts';
import { hugeSparse, sparse } from './zoo/sparse.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const hasUmoci = canRun('umoci');
const forms: { name: string; layers: LayerStore & AsyncDisposable; snapshots: OverlaySnapshotter; root: string }[] = [];
let root = '';

before(async () => {
  root = await mkdtemp('/var/tmp/slipway-zoo-');
  for (const [name, openStore] of [
    ['erofs', openErofsLayerStore],
    ['directory', openDirectoryLayerStore],
  ] as const) {
    const base = path.join(root, name);
    const layers = await openStore(path.join(base, 'content'));
    const dataDirectory = path.join(base, 'data');
    const snapshots = await openOverlaySnapshotter({
      dataDirectory,
      mountDirectory: path.join(base, 'mounts'),
      layers,
    });
    forms.push({ name, layers, snapshots, root: base });
  }
});

after(async () => {
  for (const { layers } of forms) await layers[Symbol.asyncDispose]();
  for (const { mountPoint } of (await readMounts()).toReversed()) {
    if (mountPoint.startsWith(`${root}/`)) await unmount(mountPoint, unmountFlags.detach);
  }
  await removeTree(root);
});

for (const zooCase of [...ordinary, ...replaced, ...sparse, ...blobs]) {
  test(`zoo: ${zooCase.name}`, { skip }, async (context) => {
    if (zooCase.lines === undefined && !hasUmoci) {
      context.skip('umoci is not installed');
      return;
    }
    const tars = zooCase.tars ?? zooCase.layers;
    const expected = zooCase.lines === undefined ? await umociLines(zooCase) : undefined;
    for (const form of forms) {
      if (zooCase.erofsOnly === true && form.name !== 'erofs') continue;
      const diffIds = await importAll(form.layers, zooCase.layers, tars);
      await form.snapshots.prepare('zoo', diffIds);
      try {
        const lines = listTree(await form.snapshots.mount('zoo'), zooCase.ignore);
        if (expected) assert.deepEqual(lines, expected, form.name);
        else assertBeginnings(lines.slice(1), zooCase.lines ?? [], form.name);
      } finally {
        await form.snapshots.remove('zoo');
      }
    }
  });
}

for (const hostileCase of hostile) {
  test(`zoo: refused: ${hostileCase.name}`, { skip }, async () => {
    const diffId = digestOf(hostileCase.tar ?? hostileCase.blob);
    const blob = path.join(root, 'hostile');
    await writeFile(blob, hostileCase.blob);
    for (const { layers, root: base } of forms) {
      const made = layers.import(diffId, blob);
      await assert.rejects(
        hostileCase.late === true ? made.then(() => layers.lowers([diffId])) : made,
        (error) => error instanceof Error && hostileCase.message.test(error.message) && 'kind' in error,
      );
      assert.deepEqual(await readdir(path.join(base, 'content/temporary')), []);
      if (hostileCase.late !== true) assert.equal(await layers.find(diffId), undefined);
    }
  });
}

test('zoo: attributes of overlayfs itself are dropped, others of no known kind too', { skip }, async () => {
  const { pax, directory, tar } = await import('./zoo/tar-bytes.ts');
  const records = [
    'trusted.overlay.redirect',
    'trusted.overlay.opaque',
    'user.overlay.opaque',
    'com.apple.x',
    'user.kept',
  ];
  const layer = tar(pax(records.map((name) => [`SCHILY.xattr.${name}`, 'y'])), directory('d'));
  for (const { layers } of forms) {
    const [diffId] = await importAll(layers, [layer], [layer]);
    await using reader = await layers.open(diffId as Digest);
    const entry = [...reader.entries()].find(({ path: name }) => name === 'd');
    assert.deepEqual([...(entry?.xattrs ?? new Map()).keys()], ['user.kept']);
    assert.equal(entry?.opaque, false);
  }
});

test('zoo: a sparse file of 9 GB takes a few blocks and reads right at both ends', { skip }, async () => {
  for (const { name, layers, snapshots } of forms) {
    const [diffId] = await importAll(layers, [hugeSparse.tar], [hugeSparse.tar]);
    assert.ok(((await layers.find(diffId as Digest))?.usageBytes ?? 0) < 64 * 1024 * 1024);
    await snapshots.prepare('huge', [diffId as Digest]);
    try {
      const file = path.join(await snapshots.mount('huge'), 'huge');
      assert.equal((await stat(file)).size, hugeSparse.sizeBytes, name);
      await using handle = await open(file, 'r');
      const bytes = Buffer.alloc(4096);
      for (const [position, expected] of [
        [0, 'h'],
        [4096, '\0'],
        [4_500_000_000, '\0'],
        [8_999_997_439, '\0'],
        [8_999_997_440, 't'],
        [8_999_999_999, 't'],
      ] as const) {
        await handle.read(bytes, 0, 1, position);
        assert.equal(bytes.toString('latin1', 0, 1), expected, `${name} at ${position}`);
      }
    } finally {
      await snapshots.remove('huge');
    }
  }
});

test('zoo: what pack() makes of changes, umoci unpacks to the same tree', { skip: skip || !hasUmoci }, async () => {
  const base = changedBase;
  for (const { name, layers, snapshots } of forms) {
    const diffIds = await importAll(layers, [base], [base]);
    await snapshots.prepare('changed', diffIds);
    try {
      const merged = await snapshots.mount('changed');
      changeTree(merged);
      const options = { ignoreRoot: true };
      const expected = listTree(merged, options);
      const packed = await layers.pack(snapshots.upperDirectory('changed'), { compression: 'none' });
      const tree = {
        name,
        layers: [base, await readFile(packed.blob.file)],
        ignore: { ...options, reason: 'not in the tar' },
      };
      assert.deepEqual(await umociLines(tree), expected, name);
      await snapshots.prepare('changed-again', [...diffIds, packed.diffId]);
      assert.deepEqual(listTree(await snapshots.mount('changed-again'), options), expected, name);
    } finally {
      await snapshots.remove('changed');
      await snapshots.remove('changed-again');
    }
  }
});

async function importAll(layers: LayerStore, contents: readonly Buffer[], tars: readonly Buffer[]): Promise<Digest[]> {
  const diffIds: Digest[] = [];
  for (const [index, content] of contents.entries()) {
    const diffId = digestOf(tars[index] ?? content);
    const blob = path.join(root, 'blob');
    await writeFile(blob, content);
    await layers.import(diffId, blob);
    diffIds.push(diffId);
  }
  return diffIds;
}

function assertBeginnings(lines: readonly string[], expected: readonly string[], form: string): void {
  const cut = lines.map((line, index) => line.slice(0, expected[index]?.length ?? line.length));
  assert.deepEqual(cut, expected, form);
}

/** Unpacks a case with umoci and returns the lines of its tree. */
async function umociLines(zooCase: ZooCase): Promise<string[]> {
  const layout = await mkdtemp(path.join(root, 'layout-'));
  const blobDirectory = path.join(layout, 'blobs/sha256');
  await mkdir(blobDirectory, { recursive: true });
  const put = async (bytes: Buffer, mediaType: string): Promise<object> => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    await writeFile(path.join(blobDirectory, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const diffIds = zooCase.layers.map((layer) => digestOf(layer));
  const layers = await Promise.all(
    zooCase.layers.map((layer) => put(gzipSync(layer, { level: 1 }), 'application/vnd.oci.image.layer.v1.tar+gzip')),
  );
  const config = await put(
    Buffer.from(
      JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffIds } }),
    ),
    'application/vnd.oci.image.config.v1+json',
  );
  const manifest = await put(
    Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers })),
    'application/vnd.oci.image.manifest.v1+json',
  );
  await writeFile(path.join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const annotated = { ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'zoo' } };
  await writeFile(path.join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [annotated] }));
  const target = path.join(layout, 'unpacked');
  execFileSync('umoci', ['raw', 'unpack', '--image', `${layout}:zoo`, target], { stdio: 'pipe' });
  const lines = listTree(target, zooCase.ignore);
  await removeTree(layout);
  return lines;
}

function canRun(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
