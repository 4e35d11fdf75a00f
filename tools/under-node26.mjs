// Runs a script of this checkout under the project's own Node 26: `node tools/under-node26.mjs SCRIPT [ARGUMENT…]`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nodeBinary } from './node26.mjs';

const [script, ...rest] = process.argv.slice(2);
const root = fileURLToPath(new URL('..', import.meta.url));
const result = spawnSync(nodeBinary(root), [script, ...rest], { stdio: 'inherit' });
if (result.error) throw result.error;
process.exit(result.status ?? 1);
