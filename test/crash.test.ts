/** A sample of what `npm run soak` does in full: power loss and SIGKILL in the middle of verbs. */
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { openSeededHub } from './crash/seeded-hub.ts';
import { frozenRound, type CrashRound } from './crash/frozen.ts';
import { killRound, type KillRound } from './crash/killed.ts';

const folder = await mkdtemp('/var/tmp/slipway-crash-');
after(() => rm(folder, { recursive: true, force: true }));
const hub = await openSeededHub(folder);
after(() => hub[Symbol.asyncDispose]());

const cuts: readonly CrashRound[] = [
  { verb: 'pull', afterMs: 40 },
  { verb: 'pull', afterMs: 2000 },
  { verb: 'commit', afterMs: 60 },
  { verb: 'commit', afterMs: 2000 },
  { verb: 'run', afterMs: 30 },
  { verb: 'rmi', afterMs: 500 },
];
for (const [index, round] of cuts.entries()) {
  test(`power loss ${round.afterMs} ms into ${round.verb}: acknowledged is there, the rest is whole or absent`, () =>
    frozenRound(path.join(folder, `frozen-${index}`), hub.address, round));
}

const kills: readonly KillRound[] = [
  { verb: 'pull', call: 'rename', number: 1 },
  { verb: 'pull', call: 'fsync', number: 2 },
  { verb: 'pull', call: 'fdatasync', number: 1 },
  { verb: 'commit', call: 'fsync', number: 1 },
  { verb: 'commit', call: 'rename', number: 2 },
  { verb: 'rmi', call: 'fdatasync', number: 1 },
];
for (const [index, round] of kills.entries()) {
  test(`SIGKILL at ${round.call} ${round.number} of ${round.verb}: the next start needs no help`, async () => {
    await killRound(path.join(folder, `killed-${index}`), hub.address, round);
  });
}
