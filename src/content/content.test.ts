import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { EngineError } from '../base/errors.ts';
import { digestOf } from '../formats/oci/digest.ts';
import { contentStoreContract } from './contract.ts';
import { LocalContentStore } from './local-store.ts';
import { MemoryContentStore } from './memory-store.ts';
import { readBytes, writeBytes } from './write-blob.ts';

async function withRoot(body: (root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp('/var/tmp/slipway-content-');
  try {
    await body(root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

contentStoreContract('LocalContentStore', (body) => withRoot(async (root) => body(await LocalContentStore.open(root))));
contentStoreContract('MemoryContentStore', (body) => body(new MemoryContentStore()));

test('LocalContentStore: another process resumes an ingest and re-reads it', () =>
  withRoot(async (root) => {
    const first = await LocalContentStore.open(root);
    {
      await using ingest = await first.begin('x');
      await ingest.write(Buffer.from('hel'));
    }
    const second = await LocalContentStore.open(root);
    await using ingest = await second.begin('x');
    assert.equal(ingest.offset, 3);
    await ingest.write(Buffer.from('lo'));
    await ingest.commit({ digest: digestOf('hello') });
    assert.equal((await readBytes(second, digestOf('hello'), 10)).toString(), 'hello');
  }));

test('LocalContentStore.adopt() moves a finished file in and refuses another size', () =>
  withRoot(async (root) => {
    const store = await LocalContentStore.open(root);
    const file = store.temporaryPath();
    await writeFile(file, 'hello');
    await assert.rejects(store.adopt(file, digestOf('hello'), 4), EngineError);
    await store.adopt(file, digestOf('hello'), 5);
    assert.deepEqual(await readdir(path.join(root, 'temporary')), []);
    assert.equal((await readBytes(store, digestOf('hello'), 10)).toString(), 'hello');
  }));

test('LocalContentStore.removeIdleIngests() leaves held and fresh ones', () =>
  withRoot(async (root) => {
    const store = await LocalContentStore.open(root);
    const idle = await store.begin('idle');
    await idle[Symbol.asyncDispose]();
    await using held = await store.begin('held');
    await held.write(Buffer.from('x'));
    assert.equal(await store.removeIdleIngests(new Date(0)), 0);
    assert.equal(await store.removeIdleIngests(new Date(Date.now() + 60_000)), 1);
    assert.equal((await readdir(path.join(root, 'ingests'))).length, 1);
  }));

test('writeBytes() and readBytes() keep small content, within a limit', async () => {
  const store = new MemoryContentStore();
  const { digest } = await writeBytes(store, Buffer.from('{}'));
  assert.equal((await readBytes(store, digest, 2)).toString(), '{}');
  await assert.rejects(readBytes(store, digest, 1), EngineError);
});

test('LocalContentStore: a full disk is told as such, and what was begun is removed', () =>
  withRoot(async (root) => {
    const mountPoint = path.join(root, 'small');
    await mkdir(mountPoint);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'slipway-test', mountPoint]);
    try {
      const store = await LocalContentStore.open(path.join(mountPoint, 'content'));
      const fill = async (): Promise<void> => {
        await using ingest = await store.begin('big');
        for (let written = 0; written < 8; written++) await ingest.write(Buffer.alloc(1 << 20));
        await ingest.commit({ digest: digestOf('never') });
      };
      await assert.rejects(fill(), (error) => {
        assert.ok(error instanceof EngineError && error.kind === 'resourceExhausted');
        assert.equal(error.message, 'no space left on device');
        return true;
      });
      assert.deepEqual(await readdir(path.join(mountPoint, 'content/ingests')), []);
      await writeBytes(store, Buffer.alloc(1 << 20));
    } finally {
      execFileSync('umount', [mountPoint]);
    }
  }));
