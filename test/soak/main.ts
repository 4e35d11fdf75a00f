/**
 * `npm run soak`: the crash tests in full. Every verb is cut by power loss at twenty instants and killed at every number of every
 * decisive system call. Takes long; ends with a line of counts and exit code 1 when anything failed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { frozenRound, type CrashVerb } from '../crash/frozen.ts';
import { decisiveCalls, killRound } from '../crash/killed.ts';
import { openSeededHub } from '../crash/seeded-hub.ts';

const verbs: readonly CrashVerb[] = ['pull', 'commit', 'run', 'rmi'];
const instants = 20;
const callsAtMost = 60;

const folder = await mkdtemp('/var/tmp/slipway-soak-');
const hub = await openSeededHub(folder);
let passed = 0;
const failures: string[] = [];

async function round(label: string, run: () => Promise<boolean>): Promise<boolean> {
  try {
    const goOn = await run();
    passed++;
    console.log(`ok   ${label}`);
    return goOn;
  } catch (error) {
    failures.push(label);
    console.log(`FAIL ${label}: ${error instanceof Error ? error.message : String(error)}`);
    return true;
  }
}

try {
  for (const verb of verbs) {
    for (let instant = 0; instant < instants; instant++) {
      const afterMs = instant * 15;
      await round(`power loss ${afterMs} ms into ${verb}`, async () => {
        await frozenRound(path.join(folder, `frozen-${verb}-${instant}`), hub.address, { verb, afterMs });
        return true;
      });
    }
    for (const call of decisiveCalls) {
      for (let number = 1; number <= callsAtMost; number++) {
        const goOn = await round(`SIGKILL at ${call} ${number} of ${verb}`, () =>
          killRound(path.join(folder, `killed-${verb}-${call}-${number}`), hub.address, { verb, call, number }),
        );
        if (!goOn) break;
      }
    }
  }
} finally {
  await hub[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}
// The end-to-end tests that repeat themselves, with the numbers of a long run.
for (const [file, setting] of [
  ['restart', { SLIPWAY_TEST_ROUNDS: '100' }],
  ['races', { SLIPWAY_TEST_ROUNDS: '1000' }],
  ['walk', { SLIPWAY_TEST_MEBIBYTES: '1024' }],
] as const) {
  await round(`${file} with ${Object.entries(setting).join(' ')}`, async () => {
    const test = path.resolve(import.meta.dirname, `../${file}.test.ts`);
    const { status } = spawnSync(process.execPath, ['--test', '--test-timeout=7200000', test], {
      stdio: 'inherit',
      env: { ...process.env, ...setting },
    });
    if (status !== 0) throw new Error(`exit code ${status}`);
    return true;
  });
}
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
