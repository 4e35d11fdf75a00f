// `npm run setup`: installs and builds what is missing and nothing more. Parses on Node 18.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeBinary } from './node26.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Brings node_modules and dist up to date; says what it does. */
export function setup() {
  installDependencies();
  build();
}

function installDependencies() {
  const lock = readFileSync(path.join(root, 'package-lock.json'));
  const stamp = path.join(root, 'node_modules', '.slipway-lock');
  const wanted = createHash('sha256').update(lock).digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.log('setup: installing dependencies (npm ci)');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, stdio: 'inherit' });
  writeFileSync(stamp, wanted);
}

function build() {
  const stamp = path.join(root, 'dist', '.sources');
  const wanted = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.log('setup: building');
  execFileSync(nodeBinary(root), [path.join(root, 'tools', 'build.ts')], { cwd: root, stdio: 'inherit' });
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

/** Names, sizes and times of all sources: cheap, and different after every edit. */
function fingerprint() {
  const hash = createHash('sha256');
  const visit = (directory) => {
    for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = path.join(directory, entry.name);
      if (entry.isDirectory()) visit(file);
      else hash.update(`${file} ${statSync(file).size} ${statSync(file).mtimeMs}\n`);
    }
  };
  visit(path.join(root, 'src'));
  for (const name of ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'tools/build.ts']) {
    hash.update(readFileSync(path.join(root, name)));
  }
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    setup();
  } catch (error) {
    // What went wrong stands above, in the words of npm or the compiler.
    console.error(`setup: ${error.message}`);
    process.exit(1);
  }
}
