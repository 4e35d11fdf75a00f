import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Database, type Migration } from './database.ts';
import { queryBuilder } from './query.ts';

interface Tables {
  fruit: { name: string; weight: number };
}

const sql = queryBuilder<Tables>();
const migrations: readonly Migration[] = [
  { id: 'fruit-1', sql: 'CREATE TABLE fruit (name TEXT PRIMARY KEY, weight INTEGER NOT NULL) STRICT' },
];
const directory = await mkdtemp(path.join(tmpdir(), 'database-'));
after(() => rm(directory, { recursive: true, force: true }));

test('Database keeps what was committed over a reopen, and runs each migration once', async () => {
  const file = path.join(directory, 'reopen.db');
  {
    await using database = await Database.open(file, migrations);
    database.transaction((tx) => tx.run(sql.insertInto('fruit').values({ name: 'apple', weight: 150 })));
    await database.durable();
  }
  await using database = await Database.open(file, migrations);
  assert.deepEqual(
    database.all(sql.selectFrom('fruit').selectAll()).map((row) => ({ ...row })),
    [{ name: 'apple', weight: 150 }],
  );
});

test('Database.transaction() undoes everything when its body throws', async () => {
  await using database = await Database.open(path.join(directory, 'undo.db'), migrations);
  assert.throws(() =>
    database.transaction((tx) => {
      tx.run(sql.insertInto('fruit').values({ name: 'pear', weight: 1 }));
      throw new Error('changed my mind');
    }),
  );
  assert.equal(database.first(sql.selectFrom('fruit').selectAll()), undefined);
});

test('Database.durable() serves many waiters and survives checkpoints', async () => {
  await using database = await Database.open(path.join(directory, 'many.db'), migrations);
  const big = 'x'.repeat(100_000);
  for (let round = 0; round < 30; round++) {
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => {
        database.transaction((tx) =>
          tx.run(sql.insertInto('fruit').values({ name: `${round}-${index}-${big}`, weight: index })),
        );
        return database.durable();
      }),
    );
  }
  const count = database.first(sql.selectFrom('fruit').select((builder) => builder.fn.countAll<number>().as('count')));
  assert.equal(count?.count, 240);
});
