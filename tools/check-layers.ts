/**
 * Checks that imports go downwards: a folder of `src/` imports folders of lower rank only, never a sibling, type-only imports
 * included; nothing under `src/` imports `test/`, `tools/` or `bench/`; there are no cycles among files.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ranks: Readonly<Record<string, number>> = {
  base: 0,
  ...rank(1, 'formats host db config'),
  ...rank(2, 'graph gc events logs client'),
  ...rank(3, 'content layer remote archive reflog network volume runtime'),
  ...rank(4, 'snapshot image'),
  ...rank(5, 'container history registry'),
  ...rank(6, 'build'),
  ...rank(7, 'engine'),
  ...rank(8, 'api buildkit hub'),
  ...rank(9, 'daemon'),
  ...rank(10, 'cli'),
  'index.ts': 10,
};

function rank(value: number, folders: string): Record<string, number> {
  return Object.fromEntries(folders.split(' ').map((folder) => [folder, value]));
}

const root = path.resolve(import.meta.dirname, '..');
const problems: string[] = [];
const graph = new Map<string, string[]>();

for (const file of globSync('src/**/*.ts', { cwd: root }).toSorted()) {
  const from = folderOf(file);
  const text = readFileSync(path.join(root, file), 'utf8');
  const targets: string[] = [];
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
    const target = path.posix.join(path.posix.dirname(file), match[1] ?? '');
    targets.push(target);
    if (!target.startsWith('src/')) {
      problems.push(`${file}: imports ${target}, outside src/`);
      continue;
    }
    const to = folderOf(target);
    if (from === to) continue;
    const fromRank = ranks[from];
    const toRank = ranks[to];
    if (fromRank === undefined) problems.push(`${file}: folder ${from} has no rank`);
    else if (toRank === undefined) problems.push(`${file}: folder ${to} has no rank`);
    else if (toRank >= fromRank) problems.push(`${file} (${from}, ${fromRank}) imports ${target} (${to}, ${toRank})`);
  }
  if (from === 'base') {
    for (const match of text.matchAll(/from '([^.'][^']*)'/g)) {
      if (!match[1]?.startsWith('node:')) problems.push(`${file}: base imports ${match[1]}, allowed is node: only`);
    }
  }
  graph.set(file, targets);
}

findCycles();
for (const problem of problems) console.error(problem);
console.log(`check-layers: ${graph.size} files, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);

function folderOf(file: string): string {
  return file.split('/')[1] ?? '';
}

function findCycles(): void {
  const state = new Map<string, 'open' | 'done'>();
  const stack: string[] = [];
  const visit = (file: string): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      problems.push(`import cycle: ${[...stack.slice(stack.indexOf(file)), file].join(' → ')}`);
      return;
    }
    state.set(file, 'open');
    stack.push(file);
    for (const target of graph.get(file) ?? []) if (graph.has(target)) visit(target);
    stack.pop();
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file);
}
