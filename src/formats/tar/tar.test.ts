import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TarEntry, TarType } from './entry.ts';
import { parseTime, readNumber } from './numbers.ts';
import { formatPaxRecord, parsePaxRecords } from './pax.ts';
import { TarScanner } from './scanner.ts';
import { formatTarHeader, tarEnd, type TarMember, tarPadding } from './writer.ts';

function scan(archive: Buffer, chunkBytes: number): TarEntry[] {
  const entries: TarEntry[] = [];
  const scanner = new TarScanner((entry) => entries.push(entry));
  for (let at = 0; at < archive.length; at += chunkBytes) scanner.push(archive.subarray(at, at + chunkBytes));
  scanner.end();
  return entries;
}

const types: readonly TarType[] = ['file', 'hardlink', 'symlink', 'character', 'block', 'directory', 'fifo'];
const name = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: 1, maxLength })
    .map((bytes) => Buffer.from(bytes.map((byte) => byte || 1)).toString('latin1'));

const members: fc.Arbitrary<TarMember> = fc
  .record({
    path: name(300),
    type: fc.constantFrom(...types),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xffff_fffe }),
    gid: fc.integer({ min: 0, max: 0xffff_fffe }),
    mtimeSeconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    mtimeNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    linkTarget: name(300),
    xattrs: fc.option(fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), fc.uint8Array({ maxLength: 50 })), {
      nil: undefined,
    }),
  })
  .map(({ xattrs, linkTarget, ...rest }) => ({
    ...rest,
    sizeBytes: 0,
    deviceMajor: rest.type === 'character' || rest.type === 'block' ? 300 : 0,
    deviceMinor: rest.type === 'character' || rest.type === 'block' ? 70_000 : 0,
    linkTarget: rest.type === 'hardlink' || rest.type === 'symlink' ? linkTarget : '',
    xattrs:
      xattrs === undefined || Object.keys(xattrs).length === 0
        ? undefined
        : new Map(
            Object.entries(xattrs)
              .toSorted(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, value]) => [`user.${key}`, Buffer.from(value)] as const),
          ),
  }));

test('TarScanner reads what formatTarHeader() writes, in pieces of any size', () => {
  fc.assert(
    fc.property(fc.array(members, { maxLength: 6 }), fc.integer({ min: 1, max: 3000 }), (list, chunkBytes) => {
      const bodies = list.map((member, index) =>
        member.type === 'file' ? Buffer.alloc(index * 300, 'b') : Buffer.alloc(0),
      );
      const sized = list.map((member, index) => ({ ...member, sizeBytes: bodies[index]?.length ?? 0 }));
      const parts = sized.flatMap((member, index) => [
        formatTarHeader(member),
        bodies[index] ?? tarEnd,
        tarPadding(member.sizeBytes),
      ]);
      const archive = Buffer.concat([...parts, tarEnd]);
      const entries = scan(archive, chunkBytes);
      assert.deepEqual(
        entries.map(({ dataOffset: _offset, segments: _segments, ...entry }) => entry),
        sized,
      );
      for (const [index, entry] of entries.entries()) {
        const stored = archive.subarray(entry.dataOffset, entry.dataOffset + entry.sizeBytes);
        assert.ok(stored.equals(bodies[index] ?? tarEnd));
      }
    }),
    { numRuns: 150 },
  );
});

test('TarScanner refuses or reads arbitrary bytes, and nothing else', () => {
  const archive = Buffer.concat([
    formatTarHeader({
      path: 'p'.repeat(200),
      type: 'file',
      mode: 0o644,
      uid: 2 ** 31,
      gid: 0,
      mtimeSeconds: -1,
      mtimeNanoseconds: 5,
      sizeBytes: 0,
      linkTarget: '',
      deviceMajor: 0,
      deviceMinor: 0,
      xattrs: new Map([['user.a', Buffer.from('b')]]),
    }),
    tarEnd,
  ]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { maxLength: 5 }), (edits) => {
      const edited = Buffer.from(archive);
      for (const [at, value] of edits) edited[at] = value;
      try {
        scan(edited, 512);
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'invalidArgument');
      }
    }),
    { numRuns: 500 },
  );
});

test('readNumber() reads octal with blanks, base 256, and negative base 256', () => {
  const field = (text: string): Buffer => Buffer.from(text, 'latin1');
  assert.equal(readNumber(field(' 644 \0'), 0, 6, 'x'), 0o644);
  assert.equal(readNumber(field('\0\0\0\0'), 0, 4, 'x'), 0);
  assert.equal(readNumber(field('\x80\0\x01\0'), 0, 4, 'x'), 256);
  assert.equal(readNumber(field('\xff\xff\xff\xfe'), 0, 4, 'x'), -2);
  assert.throws(() => readNumber(field('12z4'), 0, 4, 'x'), { kind: 'invalidArgument' });
});

test('parseTime() rounds seconds down', () => {
  assert.deepEqual(parseTime('-0.5', 'x'), { seconds: -1, nanoseconds: 500_000_000 });
  assert.deepEqual(parseTime('-123', 'x'), { seconds: -123, nanoseconds: 0 });
  assert.deepEqual(parseTime('1.0000000019', 'x'), { seconds: 1, nanoseconds: 1 });
  assert.throws(() => parseTime('1e5', 'x'), { kind: 'invalidArgument' });
});

test('formatPaxRecord() counts its own length', () => {
  for (let length = 0; length < 1100; length++) {
    const record = formatPaxRecord('k', 'v'.repeat(length));
    assert.equal(Number(record.split(' ')[0]), record.length);
    assert.equal(parsePaxRecords(Buffer.from(record)).records.get('k')?.length, length);
  }
});
