import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { EngineError } from '../base/errors.ts';
import { collect } from '../base/streams.ts';
import { digestOf, parseDigest, type Digest } from '../formats/oci/digest.ts';
import type { ContentStore } from './content-store.ts';
import { DigestMismatchError } from './digest-mismatch-error.ts';

/** Tests that every {@link ContentStore} passes; `withStore` makes an empty one, hands it over and cleans up. */
export function contentStoreContract(
  name: string,
  withStore: (body: (store: ContentStore) => Promise<void>) => Promise<void>,
): void {
  const content = Buffer.from('layer '.repeat(400_000));
  const digest = digestOf(content);

  const stored = async (store: ContentStore, bytes: Uint8Array, expected: Digest): Promise<void> => {
    await using ingest = await store.begin(`test-${expected}`);
    for (let start = 0; start < bytes.length; start += 70_001)
      await ingest.write(bytes.subarray(start, start + 70_001));
    await ingest.commit({ digest: expected, sizeBytes: bytes.length });
  };
  const read = async (store: ContentStore, start: number, end?: number): Promise<Buffer> => {
    await using blob = await store.open(digest, end === undefined ? { start } : { start, end });
    assert.equal(blob.sizeBytes, content.length);
    const copied: Buffer[] = [];
    await blob.copyTo(async (chunk) => void copied.push(Buffer.from(chunk)));
    assert.ok(Buffer.concat(copied).equals(content.subarray(start, end)));
    return await collect(blob, content.length, 'blob');
  };

  test(`${name}: commit makes a blob visible, open reads any part of it`, () =>
    withStore(async (store) => {
      await stored(store, content, digest);
      assert.deepEqual(await store.find(digest), { digest, sizeBytes: content.length });
      assert.ok((await read(store, 0)).equals(content));
      assert.ok((await read(store, 1_999_999)).equals(content.subarray(1_999_999)));
      assert.ok((await read(store, 5, 11)).equals(content.subarray(5, 11)));
      assert.equal((await read(store, content.length)).length, 0);
      await stored(store, content, digest);
      const walked = await Array.fromAsync(store.walk());
      assert.deepEqual(walked, [{ digest, sizeBytes: content.length }]);
      assert.equal(await store.delete(digest), true);
      assert.equal(await store.delete(digest), false);
      await assert.rejects(store.open(digest), (error) => error instanceof EngineError && error.kind === 'notFound');
    }));

  test(`${name}: an empty blob and sha512 work`, () =>
    withStore(async (store) => {
      const empty = digestOf('');
      await stored(store, new Uint8Array(), empty);
      assert.equal((await store.find(empty))?.sizeBytes, 0);
      const sha512 = parseDigest(`sha512:${createHash('sha512').update(content).digest('hex')}`);
      await stored(store, content, sha512);
      assert.equal((await store.find(sha512))?.sizeBytes, content.length);
    }));

  test(`${name}: wrong digest and wrong size are refused and leave nothing`, () =>
    withStore(async (store) => {
      for (const expected of [
        { digest: digestOf('other'), sizeBytes: content.length },
        { digest, sizeBytes: content.length + 1 },
      ]) {
        await using ingest = await store.begin('bad');
        await ingest.write(content);
        await assert.rejects(ingest.commit(expected), DigestMismatchError);
        assert.equal(await store.find(expected.digest), undefined);
        await using again = await store.begin('bad');
        assert.equal(again.offset, 0);
        await again.abort();
      }
    }));

  test(`${name}: an ingest disposed without commit goes on where it was, is held once, and abort removes it`, () =>
    withStore(async (store) => {
      {
        await using first = await store.begin('one');
        await first.write(content.subarray(0, 1_000_000));
        await assert.rejects(store.begin('one'), (error) => error instanceof EngineError && error.kind === 'conflict');
      }
      assert.equal(await store.find(digest), undefined);
      await using second = await store.begin('one');
      assert.equal(second.offset, 1_000_000);
      await second.write(content.subarray(1_000_000));
      await second.commit({ digest });
      assert.ok((await read(store, 0)).equals(content));
      await using third = await store.begin('one');
      assert.equal(third.offset, 0);
      await third.write(content);
      await third.abort();
      await using fourth = await store.begin('one');
      assert.equal(fourth.offset, 0);
    }));

  test(`${name}: two writers of one digest both succeed`, () =>
    withStore(async (store) => {
      await using one = await store.begin('a');
      await using two = await store.begin('b');
      await one.write(content);
      await two.write(content);
      await Promise.all([one.commit({ digest }), two.commit({ digest })]);
      assert.ok((await read(store, 0)).equals(content));
    }));
}
