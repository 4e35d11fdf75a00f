/** The program `slipway`. What is loaded here is loaded by every command: the rest comes from the compile cache. */
import { enableCompileCache } from 'node:module';
import path from 'node:path';

enableCompileCache(path.join(import.meta.dirname, '.compile-cache'));
const { run } = await import('./program.ts');
process.exitCode = await run(process.argv.slice(2));
