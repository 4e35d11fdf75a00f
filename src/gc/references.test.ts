import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Database } from '../db/database.ts';
import { addEdges, dropOwner, Holds, isNeeded, referencesMigrations } from './references.ts';

const directory = await mkdtemp(path.join(tmpdir(), 'references-'));
after(() => rm(directory, { recursive: true, force: true }));

test('dropOwner() returns what only that owner needed', async () => {
  await using database = await Database.open(path.join(directory, 'edges.db'), referencesMigrations);
  database.transaction((tx) => {
    addEdges(tx, 'image:a', [
      { kind: 'blob', target: 'x' },
      { kind: 'blob', target: 'shared' },
      { kind: 'layer', target: 'x' },
    ]);
    addEdges(tx, 'image:b', [{ kind: 'blob', target: 'shared' }]);
  });
  const orphans = database.transaction((tx) => dropOwner(tx, 'image:a').map(({ kind, target }) => `${kind} ${target}`));
  assert.deepEqual(orphans.toSorted(), ['blob x', 'layer x']);
  assert.equal(isNeeded(database, { kind: 'blob', target: 'shared' }), true);
  assert.equal(isNeeded(database, { kind: 'blob', target: 'x' }), false);
});

test('Holds.remove() spares what is held, until the last hold is released', async () => {
  const holds = new Holds();
  const edge = { kind: 'blob', target: 'x' } as const;
  let removed = 0;
  const remove = (): Promise<void> =>
    holds.remove(
      edge,
      () => false,
      () => Promise.resolve(removed++),
    );
  const first = holds.begin();
  await first.keep(edge);
  {
    using second = holds.begin();
    await second.keep(edge);
  }
  await remove();
  assert.equal(removed, 0);
  first[Symbol.dispose]();
  await remove();
  assert.equal(removed, 1);
});

test('Hold.keep() waits for a removal that has begun', async () => {
  const holds = new Holds();
  const edge = { kind: 'layer', target: 'x' } as const;
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const removal = holds.remove(
    edge,
    () => false,
    () => gate.promise.then(() => order.push('removed')),
  );
  using hold = holds.begin();
  const kept = hold.keep(edge).then(() => order.push('kept'));
  gate.resolve();
  await Promise.all([removal, kept]);
  assert.deepEqual(order, ['removed', 'kept']);
});
