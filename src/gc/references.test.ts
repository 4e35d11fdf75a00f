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

test('Holds count, and release when disposed', () => {
  const holds = new Holds();
  const edge = { kind: 'blob', target: 'x' } as const;
  const first = holds.begin();
  first.keep(edge);
  {
    using second = holds.begin();
    second.keep(edge);
  }
  assert.equal(holds.holds(edge), true);
  first[Symbol.dispose]();
  assert.equal(holds.holds(edge), false);
});
