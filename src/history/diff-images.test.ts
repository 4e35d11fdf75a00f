import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Digest } from '../formats/oci/digest.ts';
import { makeNode, modeType } from '../host/nodes.ts';
import { openErofsLayerStore } from '../layer/erofs-layer-store.ts';
import { diffImages } from './diff-images.ts';

const directory = await mkdtemp('/var/tmp/history-');
after(() => rm(directory, { recursive: true, force: true }));
const layers = await openErofsLayerStore(path.join(directory, 'layers'), { workers: 1 });
after(() => layers[Symbol.asyncDispose]());
let count = 0;

async function layer(make: (root: string) => Promise<void>): Promise<Digest> {
  const root = path.join(directory, `upper-${count++}`);
  await mkdir(root);
  await make(root);
  return (await layers.pack(root, { compression: 'none' })).diffId;
}

test('diffImages() tells added, removed and changed paths of merged roots', async () => {
  const base = await layer(async (root) => {
    await mkdir(path.join(root, 'etc'));
    for (const name of ['same', 'content', 'mode', 'gone', 'kind']) await writeFile(path.join(root, 'etc', name), name);
  });
  const top = await layer(async (root) => {
    await mkdir(path.join(root, 'etc'));
    await writeFile(path.join(root, 'etc/same'), 'same');
    await writeFile(path.join(root, 'etc/content'), 'CONTENT');
    await writeFile(path.join(root, 'etc/mode'), 'mode');
    await chmod(path.join(root, 'etc/mode'), 0o600);
    makeNode(path.join(root, 'etc/gone'), modeType.character, 0n);
    await symlink('same', path.join(root, 'etc/kind'));
    await writeFile(path.join(root, 'new'), '');
  });
  assert.deepEqual(await diffImages(layers, [base], [base, top]), [
    { path: '/etc/content', change: 'changed', what: ['content'] },
    { path: '/etc/gone', change: 'removed', what: [] },
    { path: '/etc/kind', change: 'changed', what: ['type'] },
    { path: '/etc/mode', change: 'changed', what: ['mode'] },
    { path: '/new', change: 'added', what: [] },
  ]);
  assert.deepEqual(await diffImages(layers, [base, top], [base, top]), []);
});

test('diffImages() sees through a replaced directory', async () => {
  const base = await layer(async (root) => {
    await mkdir(path.join(root, 'd/e'), { recursive: true });
    await writeFile(path.join(root, 'd/e/f'), 'x');
  });
  const top = await layer((root) => writeFile(path.join(root, 'd'), 'a file now'));
  assert.deepEqual(
    (await diffImages(layers, [base], [base, top])).map(({ path: at, change, what }) => [at, change, ...what]),
    [
      ['/d', 'changed', 'type'],
      ['/d/e', 'removed'],
      ['/d/e/f', 'removed'],
    ],
  );
});
