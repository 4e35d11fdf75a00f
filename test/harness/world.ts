/** A Hub with two images and an engine beside it, on short roots of their own; everything is gone when it is disposed. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { createHub } from '../../src/hub/hub.ts';
import { runCommand } from './command.ts';
import { Docker } from './docker.ts';
import { EngineProcess } from './engine-process.ts';
import { requestOn, type Answer, type RequestOptions } from './http.ts';
import { findLeftovers, settledLeftovers } from './leftovers.ts';

/** What a test file works with. */
export interface World extends AsyncDisposable {
  /** `127.0.0.1:PORT` of the Hub. */
  readonly hub: string;
  readonly engine: EngineProcess;
  readonly docker: Docker;
  /** For files of the test. */
  readonly directory: string;
  /** A client that speaks one version of the API. */
  dockerSpeaking(apiVersion: string): Docker;
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
}

/** What is different in one world. */
export interface WorldOptions {
  /** Further flags of the engine. */
  readonly flags?: readonly string[];
  /** Where the engine keeps its things; below `directory` by default. */
  readonly dataRoot?: string;
  /** Official images in the Hub; busybox and hello-world by default. */
  readonly images?: readonly string[];
}

const seedProgram = path.resolve(import.meta.dirname, '../../tools/seed-images.ts');

/**
 * Starts both. Disposing stops all containers, takes the engine off the machine, and fails when a mount, process, link, table,
 * cgroup or file is left.
 */
export async function openWorld(options: WorldOptions = {}): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp('/var/tmp/slipway-e2e-');
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const hub = stack.use(await createHub({ dataRoot: path.join(directory, 'hub'), listen: '127.0.0.1:0' }));
  await seedHub(hub.address, path.join(directory, 'seed'), options.images ?? ['busybox', 'hello-world']);
  const dataRoot = options.dataRoot ?? path.join(directory, 'data');
  const execRoot = `/run/sw-${randomBytes(4).toString('hex')}`;
  const logFile = path.join(directory, 'engine.log');
  const flags = ['--registry-mirror', `http://${hub.address}`, ...(options.flags ?? [])];
  const engine = new EngineProcess({ dataRoot, execRoot, logFile, flags });
  stack.defer(() => takeDown(engine));
  await engine.start();
  const configDirectory = path.join(directory, 'docker-config');
  await mkdir(configDirectory);
  const owned = stack.move();
  return {
    hub: hub.address,
    engine,
    directory,
    docker: new Docker(engine.socketPath, configDirectory),
    dockerSpeaking: (apiVersion) => new Docker(engine.socketPath, configDirectory, apiVersion),
    request: (method, target, request) => requestOn(engine.socketPath, method, target, request),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Puts official images into a Hub. */
export async function seedHub(address: string, work: string, images: readonly string[]): Promise<void> {
  if (images.length === 0) return;
  const seeded = await runCommand(process.execPath, [seedProgram, address, work, ...images], { timeoutMs: 120_000 });
  assert.equal(seeded.code, 0, seeded.stderr);
}

async function takeDown(engine: EngineProcess): Promise<void> {
  const { execRoot, dataRoot } = engine.settings;
  if (!engine.started) return sweep(await findLeftovers(execRoot, dataRoot), execRoot);
  let left: readonly string[];
  try {
    await engine.tearDown();
    left = await settledLeftovers(execRoot, dataRoot);
    if (left.length === 0) return;
  } catch (error) {
    left = await findLeftovers(execRoot, dataRoot);
    await sweep(left, execRoot);
    throw error;
  }
  await sweep(left, execRoot);
  assert.deepEqual(left, [], 'nothing is left of the engine');
}

/** A failed test leaves nothing to the next one either. */
async function sweep(left: readonly string[], execRoot: string): Promise<void> {
  for (const line of left) {
    const [kind, what = ''] = line.split(' ');
    if (kind === 'process') process.kill(Number(what), 'SIGKILL');
  }
  for (const line of left.toReversed()) {
    const [kind = '', what = ''] = line.split(' ');
    if (kind === 'mount') await runCommand('umount', ['-l', what]);
    else if (kind === 'table') await runCommand('nft', ['delete', 'table', what, line.split(' ')[2] ?? '']);
    else if (kind.startsWith('slip-')) await runCommand('ip', ['link', 'delete', kind]);
  }
  await rm(execRoot, { recursive: true, force: true });
}
