// `npm start`: installs what is missing, boots Hub and engine, seeds the official images, runs the main job. Parses on Node 18.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeBinary } from './node26.mjs';
import { ensurePackages, runtimePackages } from './packages.mjs';
import { readPlaces } from './places.mjs';
import { ownerOf, runningPid, startInBackground, waitUntil } from './processes.mjs';
import { setup } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const slipway = path.join(root, 'bin', 'slipway');

async function main() {
  const places = readPlaces(process.argv.slice(2));
  requireMachine();
  setup();
  ensurePackages(runtimePackages);
  mkdirSync(places.stateDirectory, { recursive: true, mode: 0o700 });
  await startHub(places);
  await startEngine(places);
  step('official images');
  run(nodeBinary(root), [path.join(root, 'tools', 'seed-images.ts'), places.hubListen, `${places.dataRoot}-seed`]);
  mainJob(places);
  sayWhatNext(places);
}

function step(text) {
  console.log(`start: ${text}`);
}

function requireMachine() {
  const fail = (text) => {
    throw new Error(text);
  };
  if (process.platform !== 'linux') fail(`Slipway runs on Linux; this is ${process.platform}`);
  if (!['x64', 'arm64'].includes(process.arch)) fail(`Slipway runs on x64 and arm64; this is ${process.arch}`);
  if (process.getuid() !== 0)
    fail('root is needed: containers are mounts, namespaces and cgroups (try sudo npm start)');
  const { status } = spawnSync('dpkg-query', ['--version']);
  if (status !== 0)
    fail(
      "dpkg is missing: npm start installs Debian's packages; on other systems install crun, nftables and isal yourself",
    );
}

function run(file, args, env = {}) {
  const { status, error } = spawnSync(file, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${path.basename(file)} ${args.join(' ')} ended with exit code ${status}`);
}

/** Asks for a page; true when it is there. */
function answers(options) {
  return new Promise((resolve) => {
    const request = http.get({ timeout: 2000, ...options }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false)).on('timeout', () => request.destroy());
  });
}

async function startHub({ stateDirectory, hubListen, hubDataRoot }) {
  const [host, port] = [
    hubListen.slice(0, hubListen.lastIndexOf(':')),
    Number(hubListen.slice(hubListen.lastIndexOf(':') + 1)),
  ];
  const up = () => answers({ host, port, path: '/v2/' });
  if (runningPid(stateDirectory, 'hub') !== undefined && (await up()))
    return step(`Hub runs already at http://${hubListen}`);
  const owner = ownerOf(hubListen);
  if (owner !== undefined)
    throw new Error(`the Hub's address ${hubListen} is taken by ${owner}; end it, or give another with --hub-listen`);
  const child = startInBackground(stateDirectory, 'hub', slipway, [
    'hub',
    '--data-root',
    hubDataRoot,
    '--listen',
    hubListen,
  ]);
  await waitUntil(up, child, path.join(stateDirectory, 'hub.log'), 'the Hub');
  step(`Hub at http://${hubListen}`);
}

async function startEngine({ stateDirectory, socket, dataRoot, execRoot, hubListen }) {
  const up = () => answers({ socketPath: socket, path: '/_ping' });
  if (runningPid(stateDirectory, 'engine') !== undefined && (await up()))
    return step(`engine runs already at unix://${socket}`);
  const owner = ownerOf(socket);
  if (owner !== undefined)
    throw new Error(`the engine's socket ${socket} is taken by ${owner}; end it, or give another --exec-root`);
  const child = startInBackground(stateDirectory, 'engine', slipway, [
    'daemon',
    '--data-root',
    dataRoot,
    '--exec-root',
    execRoot,
    '--registry-mirror',
    `http://${hubListen}`,
  ]);
  await waitUntil(up, child, path.join(stateDirectory, 'engine.log'), 'the engine');
  step(`engine at unix://${socket}`);
}

function mainJob({ socket }) {
  const env = { SLIPWAY_HOST: `unix://${socket}` };
  for (const args of [['pull', 'busybox'], ['run', '--rm', 'busybox', 'echo', 'hello from busybox'], ['images']]) {
    console.log(`\n$ slipway ${args.join(' ')}`);
    run(slipway, args, env);
  }
}

function sayWhatNext({ socket, stateDirectory }) {
  console.log(`
What to try next:
  export DOCKER_HOST=unix://${socket}       for the docker client and everything that speaks to one
  export SLIPWAY_HOST=unix://${socket}      for bin/slipway

  docker run hello-world
  docker run -it --rm busybox sh
  bin/slipway log busybox                   the history of an image

Logs are in ${stateDirectory}. "npm stop" ends everything.`);
}

main().catch((error) => {
  console.error(`start: ${error.message}`);
  process.exit(1);
});
