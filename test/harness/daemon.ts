/** `slipway daemon` alone, run from the sources. */
import { runDaemon } from '../../src/daemon/main.ts';

process.exit(await runDaemon(process.argv.slice(2)));
