/**
 * Measures this engine beside its rivals: `npm run bench -- [--rounds N] [--large-rounds N] [--only SUBJECT]… [ROW…]`.
 * SLIPWAY_BENCH_DIR is where packages, images and file systems are kept (default /var/tmp/slipway-bench), SLIPWAY_BENCH_RIVALS
 * where the rivals' packages are unpacked (default: the same). Needs root.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { cycleRow, execRows, listRows, memoryRows, pullBusybox, runRow } from './container-rows.ts';
import { largeImageRows } from './image-rows.ts';
import { makeImages } from './images.ts';
import type { Bench } from './measure.ts';
import { append, rows, summarize } from './report.ts';
import { fetchRivals } from './rivals.ts';
import { dockerProgram, slipwayProgram, Subject, type Surroundings } from './subject.ts';

const root = path.resolve(import.meta.dirname, '..');
const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '20' },
    'large-rounds': { type: 'string', default: '3' },
    only: { type: 'string', multiple: true },
  },
});
const rounds = Number(values.rounds);
const largeRounds = Number(values['large-rounds']);
const unknown = wanted.filter((name) => !(name in rows));
if (unknown.length > 0) throw new Error(`bench: no row ${unknown.join(', ')}; rows: ${Object.keys(rows).join(', ')}`);

const folder = process.env['SLIPWAY_BENCH_DIR'] ?? '/var/tmp/slipway-bench';
mkdirSync(folder, { recursive: true });
const { rivals, dockerClient } = fetchRivals(process.env['SLIPWAY_BENCH_RIVALS'] ?? folder);
const registryFolder = path.join(folder, 'registry');
const largeImage = await makeImages(folder, registryFolder);
const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { readonly version: string };
const programs = [...rivals.map(dockerProgram), slipwayProgram(root, version)].filter(
  ({ name }) => values.only === undefined || values.only.includes(name),
);
const surroundings: Surroundings = { folder, registryFolder, fileSystemGigabytes: 16 };
const clientConfig = path.join(folder, 'client');
mkdirSync(clientConfig, { recursive: true });
const bench: Bench = { dockerClient, clientConfig, samples: [] };

const isWanted = (...names: readonly string[]): boolean =>
  wanted.length === 0 || names.some((name) => wanted.includes(name));

const { promise: interrupted, reject: interrupt } = Promise.withResolvers<never>();
interrupted.catch(() => undefined);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => interrupt(new Error(`bench: ${signal}`)));

try {
  await measureContainers();
  if (isWanted('pull', 'diff', 'commit', 'rmi')) {
    for (let round = 1; round <= largeRounds; round++) {
      console.error(`large image, round ${round}`);
      await withSubjects((subjects) => largeImageRows(bench, subjects, round));
    }
  }
} catch (error) {
  // What was measured until then counts.
  console.error(error);
  process.exitCode = 1;
}
const date = new Date().toISOString();
const versions = Object.fromEntries(programs.map((program) => [program.name, program.version]));
const summary = summarize(bench.samples, { date: date.slice(0, 16).replace('T', ' '), versions, largeImage });
const samplesFolder = path.join(root, 'bench/samples');
mkdirSync(samplesFolder, { recursive: true });
writeFileSync(path.join(samplesFolder, `${date.replaceAll(':', '-')}.json`), JSON.stringify(bench.samples, null, 1));
append(path.join(root, 'bench/RESULTS.md'), summary);
console.log(summary);

async function measureContainers(): Promise<void> {
  const jobs: readonly (readonly [names: readonly string[], work: (subjects: readonly Subject[]) => Promise<void>])[] =
    [
      [['memory-idle', 'memory-container'], (all) => memoryRows(bench, all)],
      [['run-none'], (all) => runRow(bench, all, 'run-none', rounds, ['--network', 'none'])],
      [['run-bridge'], (all) => runRow(bench, all, 'run-bridge', rounds, [])],
      [['run-port'], (all) => runRow(bench, all, 'run-port', rounds, ['-p', '127.0.0.1:0:80'])],
      [['cycle-none'], (all) => cycleRow(bench, all, 'cycle-none', rounds, 'none')],
      [['cycle-bridge'], (all) => cycleRow(bench, all, 'cycle-bridge', rounds, 'bridge')],
      [['exec-client', 'exec-api'], (all) => execRows(bench, all, rounds)],
      [['list-images', 'list-containers'], (all) => listRows(bench, all, rounds)],
    ];
  const chosen = jobs.filter(([names]) => isWanted(...names));
  if (chosen.length === 0) return;
  await withSubjects(async (subjects) => {
    await pullBusybox(subjects);
    for (const [names, work] of chosen) {
      console.error(names.join(', '));
      await work(subjects);
    }
  });
}

async function withSubjects(work: (subjects: readonly Subject[]) => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync('/run/slipway-bench', { recursive: true, force: true }));
  const subjects: Subject[] = [];
  for (const program of programs) subjects.push(stack.use(await Subject.start(program, surroundings)));
  await Promise.race([work(subjects), interrupted]);
}
