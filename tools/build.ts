/**
 * Builds dist/: every source as JavaScript, one file each, so that workers and lazy imports find their neighbours; and the
 * client's program as one bundle, because it starts anew with every command.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');
rmSync(path.join(root, 'dist'), { recursive: true, force: true });
execFileSync(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
await build({
  entryPoints: [path.join(root, 'src/cli/program.ts')],
  outfile: path.join(root, 'dist/cli/program.js'),
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  legalComments: 'none',
  // The servers, and what reads the user's configuration, are loaded only by the commands that need them.
  external: ['../daemon/*', '../hub/*', 'koffi', 'pino', 'kysely'],
  plugins: [
    {
      name: 'built-servers',
      setup: (bundle) => {
        bundle.onResolve({ filter: /^\.\.\/(daemon|hub|config)\/.*\.ts$/ }, ({ path: file }) => ({
          path: file.replace(/\.ts$/, '.js'),
          external: true,
        }));
      },
    },
  ],
  logLevel: 'warning',
});
