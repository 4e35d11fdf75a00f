// `npm test`: installs what is missing and runs every check: types, lint, format, ranks, unit tests, end-to-end tests.
// `npm test -- PATTERN…` runs only the test files whose path holds one of the patterns.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { setup } from './setup.mjs';
import { ensurePackages, runtimePackages, testPackages } from './packages.mjs';
import { nodeBinary } from './node26.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const patterns = process.argv.slice(2);

function run(name, command, args) {
  const begin = Date.now();
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  const seconds = ((Date.now() - begin) / 1000).toFixed(1);
  console.log(`test: ${name}: ${status === 0 ? 'passed' : 'FAILED'} in ${seconds} s`);
  if (status !== 0) process.exit(1);
}

if (process.getuid() !== 0) {
  console.error('test: root is needed: mounts, namespaces and containers are real');
  process.exit(1);
}
setup();
ensurePackages([...runtimePackages, ...testPackages]);
const bin = (name) => path.join(root, 'node_modules', '.bin', name);
const node = nodeBinary(root);
if (patterns.length === 0) {
  run('types', bin('tsc'), ['--noEmit']);
  run('lint', bin('oxlint'), ['--type-aware', '--quiet']);
  run('format', bin('prettier'), ['--check', '--log-level', 'warn', '.']);
  run('ranks', node, ['tools/check-layers.ts']);
}

/** Test files below a directory, in a fixed order. globSync is not there on Node 18. */
function testFiles(directory) {
  return readdirSync(path.join(root, directory), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const file = `${directory}/${entry.name}`;
      if (entry.isDirectory()) return testFiles(file);
      return file.endsWith('.test.ts') ? [file] : [];
    });
}

const chosen = (files) =>
  patterns.length === 0 ? files : files.filter((file) => patterns.some((pattern) => file.includes(pattern)));
for (const [name, directory, concurrency] of [
  ['unit tests', 'src', 2],
  ['end-to-end tests', 'test', 1],
]) {
  const files = chosen(testFiles(directory));
  if (files.length === 0) continue;
  run(name, node, [
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${concurrency}`,
    '--test-timeout=300000',
    ...files,
  ]);
}
