/**
 * Records the answers of docker's own engine: `node test/golden/record.ts SOCKET`. It needs skopeo, and leaves the engine as it
 * was: without the image `golden/busybox:1` that the steps work on.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createHub } from '../../src/hub/hub.ts';
import { runCommand } from '../harness/command.ts';
import { Docker } from '../harness/docker.ts';
import { requestOn } from '../harness/http.ts';
import { seedHub } from '../harness/world.ts';
import { replay } from './replay.ts';
import { image } from './steps.ts';

const [socketPath] = process.argv.slice(2);
if (socketPath === undefined) throw new Error('usage: record.ts SOCKET');
const directory = await mkdtemp('/var/tmp/slipway-golden-');
try {
  await loadImage(socketPath, directory);
  const folder = path.join(import.meta.dirname, 'recorded');
  await mkdir(folder, { recursive: true });
  for (const [group, answers] of Object.entries(await replay(socketPath)))
    await writeFile(path.join(folder, `${group}.json`), `${JSON.stringify(answers, undefined, 2)}\n`);
  await requestOn(socketPath, 'DELETE', `/images/${image}?force=1`);
} finally {
  await rm(directory, { recursive: true, force: true });
}

/** From a Hub through an archive: the engine may live in another network namespace. */
async function loadImage(socket: string, work: string): Promise<void> {
  await using hub = await createHub({ dataRoot: path.join(work, 'hub'), listen: '127.0.0.1:0' });
  await seedHub(hub.address, path.join(work, 'seed'), ['busybox']);
  const archive = path.join(work, 'image.tar');
  const copied = await runCommand('skopeo', [
    'copy',
    '--src-tls-verify=false',
    `docker://${hub.address}/library/busybox:latest`,
    `docker-archive:${archive}:${image}`,
  ]);
  if (copied.code !== 0) throw new Error(copied.stderr);
  await new Docker(socket, work).run('load', '-q', '-i', archive);
}
