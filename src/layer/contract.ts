/** What every layer store must do; run on each form by its test. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ByteSource } from '../base/streams.ts';
import { type Digest, digestOf, parseDigest } from '../formats/oci/digest.ts';
import { formatTarHeader, tarEnd, type TarMember, tarPadding } from '../formats/tar/writer.ts';
import { deviceNumber, makeNode, modeType, setTimes } from '../host/nodes.ts';
import { removeTree } from '../host/remove-tree.ts';
import { setXattr } from '../host/xattr.ts';
import type { LayerEntry, LayerStore } from './layer-store.ts';

type Opened = LayerStore & AsyncDisposable;

const skip = process.getuid?.() === 0 ? false : 'needs root';

/** A member of a test tar. */
export function testMember(fields: Partial<TarMember> & { readonly path: string }, content = ''): Buffer {
  const member: TarMember = {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtimeSeconds: 1_600_000_000,
    mtimeNanoseconds: 0,
    linkTarget: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: undefined,
    ...fields,
    sizeBytes: content.length,
  };
  return Buffer.concat([formatTarHeader(member), Buffer.from(content, 'latin1'), tarPadding(content.length)]);
}

/** Registers the suite for one form. */
export function layerStoreContract(form: string, open: (root: string) => Promise<Opened>): void {
  const withStore = async (body: (store: Opened, root: string) => Promise<void>): Promise<void> => {
    const root = await mkdtemp('/var/tmp/slipway-layers-');
    const store = await open(path.join(root, 'store'));
    try {
      await body(store, root);
    } finally {
      await store[Symbol.asyncDispose]();
      await removeTree(root);
    }
  };
  const check = (name: string, body: (store: Opened, root: string) => Promise<void>): void => {
    test(`${form} layer store: ${name}`, { skip }, () => withStore(body));
  };

  check('import() is idempotent, shared, and survives a new start', async (store, root) => {
    const { diffId, blob, tar } = await makeBlob(root, 'one', testMember({ path: 'a' }, 'content'));
    const progress: number[] = [];
    const infos = await Promise.all([
      store.import(diffId, blob),
      store.import(diffId, blob, { onProgress: (bytes) => progress.push(bytes) }),
    ]);
    assert.deepEqual(infos[0], infos[1]);
    assert.equal(infos[0]?.tarSizeBytes, tar.length);
    assert.deepEqual(await store.import(diffId, '/no/such/file'), infos[0]);
    await using again = await open(path.join(root, 'store'));
    assert.deepEqual(await again.find(diffId), infos[0]);
    assert.deepEqual(await Array.fromAsync(again.walk()), [infos[0]]);
  });

  check('import() of wrong content leaves nothing', async (store, root) => {
    const { blob } = await makeBlob(root, 'one', testMember({ path: 'a' }));
    const other = digestOf('other');
    await assert.rejects(store.import(other, blob), { name: 'LayerDigestError', expected: other });
    assert.equal(await store.find(other), undefined);
    assert.deepEqual(await readdir(path.join(root, 'store/temporary')), []);
  });

  check('import() is cancelled for the one who aborts, and goes on for others', async (store, root) => {
    const content = 'x'.repeat(1_000_000);
    const members = Array.from({ length: 40 }, (_, index) => testMember({ path: `f${index}` }, content));
    const { diffId, blob } = await makeBlob(root, 'big', ...members);
    const controller = new AbortController();
    const first = store.import(diffId, blob, { signal: controller.signal });
    const second = store.import(diffId, blob);
    controller.abort();
    await assert.rejects(first, { kind: 'cancelled' });
    assert.equal((await second).diffId, diffId);
    await store.remove(diffId);
    const alone = new AbortController();
    const only = store.import(diffId, blob, { signal: alone.signal });
    alone.abort();
    await assert.rejects(only, { kind: 'cancelled' });
    assert.equal((await store.import(diffId, blob)).diffId, diffId);
  });

  check('a start clears away what a crash left', async (store, root) => {
    await writeFile(path.join(root, 'store/temporary/left.layer'), 'half');
    await using again = await open(path.join(root, 'store'));
    assert.deepEqual(await readdir(path.join(root, 'store/temporary')), []);
    assert.deepEqual(await Array.fromAsync(again.walk()), []);
    assert.equal(await store.find(digestOf('x')), undefined);
  });

  check('open() reads entries, files and the tar', async (store, root) => {
    const xattrs = new Map([['user.x', Buffer.from('v')]]);
    const { diffId, blob, tar } = await makeBlob(
      root,
      'one',
      testMember({ path: 'd/', type: 'directory', mode: 0o1755, uid: 70_000, xattrs }),
      testMember({ path: 'd/f\xff', mode: 0o4755, mtimeSeconds: -5, mtimeNanoseconds: 7 }, 'content'),
      testMember({ path: 'd/g', type: 'hardlink', linkTarget: 'd/f\xff' }),
      testMember({ path: 'c', type: 'character', deviceMajor: 1, deviceMinor: 3 }),
      testMember({ path: 'l', type: 'symlink', linkTarget: 'd/g' }),
      testMember({ path: '.wh.gone' }),
    );
    await store.import(diffId, blob);
    await using reader = await store.open(diffId);
    const entries = new Map([...reader.entries()].map((entry) => [entry.path, entry]));
    assert.deepEqual([...entries.keys()], ['', 'c', 'd', 'd/f\xff', 'd/g', 'gone', 'l']);
    const file = entries.get('d/f\xff') as LayerEntry;
    assert.deepEqual([file.mode, file.sizeBytes, file.mtimeSeconds, file.mtimeNanoseconds], [0o4755, 7, -5, 7]);
    assert.equal(entries.get('d/g')?.inode, file.inode);
    assert.equal(entries.get('d')?.uid, 70_000);
    assert.equal(entries.get('d')?.xattrs?.get('user.x')?.toString(), 'v');
    assert.deepEqual(entries.get('c')?.device, { major: 1, minor: 3 });
    assert.equal(entries.get('l')?.linkTarget, 'd/g');
    assert.equal(entries.get('gone')?.whiteout, true);
    assert.equal((await gather(reader.read(file))).toString(), 'content');
    assert.deepEqual(await gather(reader.tar()), tar);
    await assert.rejects(store.open(digestOf('x')), { kind: 'notFound' });
  });

  check('lowers() and rootLayer() follow the chain and name a missing layer', async (store, root) => {
    const rootMember = testMember({ path: './', type: 'directory', mode: 0o711 });
    const base = await makeBlob(root, 'base', rootMember, testMember({ path: 'd/', type: 'directory', mode: 0o700 }));
    const implied = await makeBlob(root, 'implied', testMember({ path: 'd/x' }, 'x'));
    for (const { diffId, blob } of [base, implied]) await store.import(diffId, blob);
    const chain = [base.diffId, implied.diffId];
    const lowers = await store.lowers(chain);
    assert.equal(lowers.length, 2);
    assert.deepEqual(await store.lowers(chain), lowers);
    assert.notEqual(lowers[1]?.name, (await store.lowers([implied.diffId]))[0]?.name);
    assert.equal(await store.rootLayer(chain), base.diffId);
    assert.equal(await store.rootLayer([implied.diffId]), undefined);
    const missing = parseDigest(`sha256:${'0'.repeat(64)}`);
    await assert.rejects(store.lowers([base.diffId, missing]), { kind: 'notFound', message: new RegExp(missing) });
    await using again = await open(path.join(root, 'store'));
    assert.deepEqual(await again.lowers(chain), lowers);
  });

  check('remove() takes a layer away, and it can be imported again', async (store, root) => {
    const { diffId, blob } = await makeBlob(root, 'one', testMember({ path: 'a/b' }));
    await store.import(diffId, blob);
    await store.lowers([diffId]);
    assert.equal(await store.remove(diffId), true);
    assert.equal(await store.remove(diffId), false);
    assert.equal(await store.find(diffId), undefined);
    await assert.rejects(store.lowers([diffId]), { kind: 'notFound' });
    await store.import(diffId, blob);
    assert.equal((await store.lowers([diffId])).length, 1);
  });

  check('pack() keeps everything of a directory, always in the same bytes', async (store, root) => {
    const upper = path.join(root, 'upper');
    makeUpper(upper);
    const packed = await store.pack(upper, { compression: 'gzip' });
    const again = await store.pack(upper, { compression: 'gzip' });
    assert.equal(again.blob.digest, packed.blob.digest);
    assert.equal(again.diffId, packed.diffId);
    assert.equal(packed.blob.sizeBytes, (await stat(packed.blob.file)).size);
    assert.equal(digestOf(await readFile(packed.blob.file)), packed.blob.digest);
    assert.equal(digestOf(execFileSync('gzip', ['-dc', packed.blob.file])), packed.diffId);
    const listing = execFileSync('tar', ['-tzf', packed.blob.file, '--quoting-style=literal'], { encoding: 'latin1' });
    const names = ['a', 'b', 'd/', 'd/.wh..wh..opq', 'd/\xff', 'fifo', '.wh.gone', 'l', 'null'];
    assert.deepEqual(listing.trim().split('\n'), names);
    await using reader = await store.open(packed.diffId);
    const entries = new Map([...reader.entries()].map((entry) => [entry.path, entry]));
    assert.equal(entries.get('a')?.inode, entries.get('b')?.inode);
    assert.deepEqual([entries.get('a')?.mtimeSeconds, entries.get('a')?.mtimeNanoseconds], [-2, 5]);
    assert.equal(entries.get('a')?.mode, 0o6755);
    assert.equal(entries.get('a')?.xattrs?.get('user.kept')?.toString(), 'v');
    assert.equal(entries.get('d')?.opaque, true);
    assert.equal(entries.get('gone')?.whiteout, true);
    assert.deepEqual(entries.get('null')?.device, { major: 1, minor: 3 });
  });

  check('pack() fails for a directory that is not there, and leaves nothing', async (store, root) => {
    await assert.rejects(store.pack(path.join(root, 'none'), { compression: 'gzip' }));
    assert.deepEqual(await readdir(path.join(root, 'store/temporary')), []);
  });
}

async function makeBlob(
  root: string,
  name: string,
  ...members: readonly Buffer[]
): Promise<{ readonly diffId: Digest; readonly blob: string; readonly tar: Buffer }> {
  const tar = Buffer.concat([...members, tarEnd]);
  const blob = path.join(root, `${name}.tar.gz`);
  await writeFile(blob, gzipSync(tar, { level: 1 }));
  return { diffId: digestOf(tar), blob, tar };
}

function makeUpper(upper: string): void {
  const at = (name: string): Buffer => Buffer.from(`${upper}/${name}`, 'latin1');
  mkdirSync(at('d'), { recursive: true });
  setXattr(at('d'), 'trusted.overlay.opaque', Buffer.from('y'));
  makeNode(at('d/\xff'), modeType.file | 0o600);
  makeNode(at('a'), modeType.file | 0o600);
  chmodSync(at('a'), 0o6755);
  setXattr(at('a'), 'user.kept', Buffer.from('v'));
  setXattr(at('a'), 'trusted.overlay.origin', Buffer.from('x'));
  linkSync(at('a'), at('b'));
  setTimes(at('a'), -2, 5);
  symlinkSync('a', at('l'));
  makeNode(at('gone'), modeType.character, 0n);
  makeNode(at('null'), modeType.character | 0o666, deviceNumber(1, 3));
  makeNode(at('fifo'), modeType.fifo | 0o600);
}

async function gather(source: ByteSource): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(source));
}
