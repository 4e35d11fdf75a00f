import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../formats/oci/digest.ts';
import { tarEnd } from '../formats/tar/writer.ts';
import { mount, unmount, unmountFlags } from '../host/mount.ts';
import { removeTree } from '../host/remove-tree.ts';
import { layerStoreContract, testMember } from './contract.ts';
import { openErofsLayerStore } from './erofs-layer-store.ts';
import { probeLayerForm } from './probe.ts';

layerStoreContract('EROFS', openErofsLayerStore);

const skip = process.getuid?.() === 0 ? false : 'needs root';

test('import() and pack() on a full disk say so and leave nothing', { skip }, async () => {
  const root = await mkdtemp('/var/tmp/slipway-full-');
  const small = path.join(root, 'small');
  await mkdir(small);
  await mount({ source: 'slipway-test', target: small, type: 'tmpfs', options: 'size=1m' });
  try {
    const tar = Buffer.concat([testMember({ path: 'big' }, 'x'.repeat(4_000_000)), tarEnd]);
    await writeFile(path.join(root, 'blob'), gzipSync(tar));
    await mkdir(path.join(root, 'upper'));
    await writeFile(path.join(root, 'upper/big'), randomBytes(4_000_000));
    await using store = await openErofsLayerStore(path.join(small, 'store'));
    await assert.rejects(store.import(digestOf(tar), path.join(root, 'blob')), { kind: 'resourceExhausted' });
    await assert.rejects(store.pack(path.join(root, 'upper'), { compression: 'gzip' }), { kind: 'resourceExhausted' });
    assert.deepEqual(await readdir(path.join(small, 'store/temporary')), []);
    assert.deepEqual(await Array.fromAsync(store.walk()), []);
  } finally {
    await unmount(small, unmountFlags.detach);
    await removeTree(root);
  }
});

test('probeLayerForm() finds by a real mount what a file system can do', { skip }, async () => {
  const root = await mkdtemp('/var/tmp/slipway-probe-');
  const small = path.join(root, 'small');
  await mkdir(small);
  await mount({ source: 'slipway-test', target: small, type: 'tmpfs', options: 'size=1m' });
  try {
    assert.equal((await probeLayerForm(small)).form, 'directory');
    assert.deepEqual(await probeLayerForm(root), { form: 'erofs' });
    assert.deepEqual(await readdir(root), ['small']);
  } finally {
    await unmount(small, unmountFlags.detach);
    await removeTree(root);
  }
});
