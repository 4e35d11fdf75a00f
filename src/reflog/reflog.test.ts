import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Database } from '../db/database.ts';
import { digestOf } from '../formats/oci/digest.ts';
import { mediaTypes } from '../formats/oci/media-types.ts';
import { findName, listMoves, listNames, moveName, namesOf, reflogMigrations, type Move } from './reflog.ts';
import { parseRevision, resolveRevision } from './revision.ts';

const directory = await mkdtemp(path.join(tmpdir(), 'reflog-'));
after(() => rm(directory, { recursive: true, force: true }));
let files = 0;

async function openReflog(): Promise<Database> {
  return Database.open(path.join(directory, `${files++}.db`), reflogMigrations);
}

function version(content: string): Required<Pick<Move, 'descriptor'>>['descriptor'] {
  return { mediaType: mediaTypes.ociManifest, digest: digestOf(content), size: content.length };
}

function move(content: string | undefined, day: number, more: Partial<Move> = {}): Move {
  const time = new Date(Date.UTC(2026, 7, day));
  return {
    name: 'app',
    verb: 'tag',
    actor: 'test',
    time,
    ...(content === undefined ? {} : { descriptor: version(content) }),
    ...more,
  };
}

test('moveName() keeps the present value and every former one', async () => {
  await using database = await openReflog();
  database.transaction((tx) => moveName(tx, move('one', 1)));
  database.transaction((tx) => moveName(tx, move('two', 2)));
  assert.equal(findName(database, 'app')?.descriptor.digest, digestOf('two'));
  assert.deepEqual(
    listMoves(database, 'app').map((entry) => [entry.oldDigest, entry.newDigest]),
    [
      [digestOf('one'), digestOf('two')],
      [undefined, digestOf('one')],
    ],
  );
  database.transaction((tx) => moveName(tx, move(undefined, 3, { verb: 'untag' })));
  assert.equal(findName(database, 'app'), undefined);
  assert.equal(listMoves(database, 'app').length, 3);
});

test('moveName() refuses a wrong expectation and changes nothing', async () => {
  await using database = await openReflog();
  database.transaction((tx) => moveName(tx, move('one', 1, { expect: 'none' })));
  for (const expect of ['none', digestOf('two')] as const) {
    assert.throws(() => database.transaction((tx) => moveName(tx, move('three', 2, { expect }))), { kind: 'conflict' });
  }
  assert.equal(listMoves(database, 'app').length, 1);
});

test('listNames() and namesOf() look up by prefix and by value', async () => {
  await using database = await openReflog();
  for (const name of ['a/x', 'a/y', 'b/x']) database.transaction((tx) => moveName(tx, move('one', 1, { name })));
  assert.deepEqual(
    listNames(database, 'a/').map((record) => record.name),
    ['a/x', 'a/y'],
  );
  assert.deepEqual(namesOf(database, digestOf('one')), ['a/x', 'a/y', 'b/x']);
});

test('resolveRevision() follows moves, times and ancestors, also over a rollback', async () => {
  await using database = await openReflog();
  for (const [index, content] of ['one', 'two', 'three'].entries()) {
    database.transaction((tx) => moveName(tx, move(content, index + 1)));
  }
  database.transaction((tx) => moveName(tx, move('two', 4, { verb: 'rollback' })));
  const digestAt = (text: string): string => {
    const { name, revision } = parseRevision(text);
    return resolveRevision(database, name, revision).digest;
  };
  assert.equal(digestAt('app'), digestOf('two'));
  assert.equal(digestAt('app@{1}'), digestOf('three'));
  assert.equal(digestAt('app@{3}'), digestOf('one'));
  assert.equal(digestAt('app~1'), digestOf('one'));
  assert.equal(digestAt('app~'), digestOf('one'));
  assert.equal(digestAt('app@{2026-08-03}'), digestOf('three'));
  assert.throws(() => digestAt('app~2'), { kind: 'notFound' });
  assert.throws(() => digestAt('app@{9}'), { kind: 'notFound' });
  assert.throws(() => parseRevision('app@{yesterday-ish}'), { kind: 'invalidArgument' });
});
