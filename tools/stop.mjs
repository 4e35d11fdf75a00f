// `npm stop`: ends what `npm start` booted and leaves no mount, process, namespace, link, cgroup or rule; images and containers
// stay in the data root. Parses on Node 18.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readPlaces } from './places.mjs';
import { stopInBackground } from './processes.mjs';

const slipway = fileURLToPath(new URL('../bin/slipway', import.meta.url));

async function main() {
  const { stateDirectory, dataRoot, execRoot } = readPlaces(process.argv.slice(2));
  const engine = await stopInBackground(stateDirectory, 'engine');
  if (existsSync(path.join(execRoot, 'engine.lock'))) {
    const { status } = spawnSync(slipway, ['daemon', 'tear-down', '--data-root', dataRoot, '--exec-root', execRoot], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (status !== 0) throw new Error('the engine could not be taken down; its state is kept for another try');
  }
  const hub = await stopInBackground(stateDirectory, 'hub');
  rmSync(stateDirectory, { recursive: true, force: true });
  console.log(
    engine === undefined && hub === undefined
      ? 'stop: nothing was running'
      : 'stop: engine and Hub have ended; images and containers are kept',
  );
}

main().catch((error) => {
  console.error(`stop: ${error.message}`);
  process.exit(1);
});
