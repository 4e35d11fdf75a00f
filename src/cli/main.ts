/** The program `slipway`. What is loaded here is loaded by every command: the rest comes from the compile cache. */
import { enableCompileCache } from 'node:module';
import path from 'node:path';

enableCompileCache(path.join(import.meta.dirname, '.compile-cache'));
const { run } = await import('./program.ts');
const [command] = process.argv.slice(2);
process.exitCode = await run(process.argv.slice(2));
// A server has put everything down when it returns; watched descriptors would keep the loop going.
if (command === 'daemon' || command === 'hub') process.exit();
