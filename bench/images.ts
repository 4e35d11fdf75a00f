/**
 * The images of the measurements, made from what a Debian machine has, and put into the storage folder of a registry once:
 * `bench/busybox` (one layer) and `bench/large` (busybox and six layers of /usr, above 250 MB gzip and 50,000 files).
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

interface Layer {
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
  readonly file: string;
}

const roots = ['share', 'include', 'lib/gcc', 'lib/python3', 'lib/x86_64-linux-gnu', 'lib/llvm-14', 'local', 'src'];
const wantedFiles = 60_000;
const wantedBytes = 900_000_000;
const largeLayers = 6;
const pushPort = 5199;

/** Makes and pushes both images unless the folder has them. Returns a line that describes the large one. */
export async function makeImages(folder: string, registryFolder: string): Promise<string> {
  const note = path.join(folder, 'images.txt');
  if (existsSync(note)) return readFileSync(note, 'utf8');
  const work = path.join(folder, 'images');
  rmSync(registryFolder, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  mkdirSync(registryFolder, { recursive: true });
  const busybox = await pack(busyboxRoot(work), '.\n', path.join(work, 'busybox.tar'));
  const lists = largeLists();
  const large: Layer[] = [busybox];
  for (const [index, list] of lists.entries()) {
    large.push(await pack('/', list.join('\n'), path.join(work, `large-${index}.tar`)));
  }
  const settings = path.join(work, 'registry.json');
  const address = `127.0.0.1:${pushPort}`;
  const storage = { filesystem: { rootdirectory: registryFolder } };
  writeFileSync(
    settings,
    JSON.stringify({ version: '0.1', log: { level: 'error' }, storage, http: { addr: address } }),
  );
  const registry = spawn('docker-registry', ['serve', settings], { stdio: 'ignore' });
  try {
    await answers(`http://${address}/v2/`);
    await push(`http://${address}/v2/bench/busybox`, [busybox]);
    await push(`http://${address}/v2/bench/large`, large);
  } finally {
    registry.kill('SIGTERM');
    await once(registry, 'exit');
  }
  const files = lists.reduce((sum, list) => sum + list.length, 0);
  const megabytes = large.reduce((sum, { size }) => sum + size, 0) / 1e6;
  const text = `${large.length} layers, ${files} files, ${megabytes.toFixed(0)} MB gzip`;
  rmSync(work, { recursive: true });
  writeFileSync(note, text);
  return text;
}

function busyboxRoot(work: string): string {
  const root = path.join(work, 'busybox-root');
  mkdirSync(path.join(root, 'bin'), { recursive: true });
  mkdirSync(path.join(root, 'etc'), { recursive: true });
  mkdirSync(path.join(root, 'tmp'), { recursive: true });
  execFileSync('sh', ['-c', 'cp /bin/busybox "$0/bin/" && chroot "$0" /bin/busybox --install -s /bin', root]);
  writeFileSync(path.join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(path.join(root, 'etc/group'), 'root:x:0:\n');
  return root;
}

/** Files below /usr, root by root until there are enough, cut into layers of like size. */
function largeLists(): readonly (readonly string[])[] {
  const files: { readonly name: string; readonly size: number }[] = [];
  let bytes = 0;
  for (const root of roots) {
    if (files.length >= wantedFiles && bytes >= wantedBytes) break;
    if (!existsSync(`/usr/${root}`)) continue;
    const form = [`/usr/${root}`, '-xdev', '-type', 'f', '-size', '-20000k', '-printf', '%s %P\\n'];
    for (const line of execFileSync('find', form, { encoding: 'utf8', maxBuffer: 1e9 }).split('\n').sort()) {
      const [, size, name] = /^(\d+) (.+)$/.exec(line) ?? [];
      if (name === undefined || name.includes('\\')) continue;
      files.push({ name: `usr/${root}/${name}`, size: Number(size) });
      bytes += Number(size);
    }
  }
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  const lists: string[][] = Array.from({ length: largeLayers }, () => []);
  let before = 0;
  for (const { name, size } of files) {
    lists[Math.min(largeLayers - 1, Math.floor((before / bytes) * largeLayers))]?.push(name);
    before += size;
  }
  return lists;
}

async function pack(root: string, list: string, file: string): Promise<Layer> {
  const form = ['--numeric-owner', '--owner=0', '--group=0', '-C', root, '-T', '-', '-cf', file];
  execFileSync('tar', form, { input: list, stdio: ['pipe', 'ignore', 'ignore'] });
  const diffId = await digestOf(file);
  execFileSync('gzip', ['-6', '-n', file]);
  const packed = `${file}.gz`;
  return { diffId, digest: await digestOf(packed), size: statSync(packed).size, file: packed };
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

async function push(repository: string, layers: readonly Layer[]): Promise<void> {
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    }),
  );
  const configDigest = `sha256:${createHash('sha256').update(config).digest('hex')}`;
  await pushBlob(repository, configDigest, config);
  for (const { digest, file } of layers) await pushBlob(repository, digest, readFileSync(file));
  const docker = 'application/vnd.docker';
  const manifestType = `${docker}.distribution.manifest.v2+json`;
  const layerType = `${docker}.image.rootfs.diff.tar.gzip`;
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: `${docker}.container.image.v1+json`, size: config.length, digest: configDigest },
    layers: layers.map(({ digest, size }) => ({ mediaType: layerType, size, digest })),
  });
  const headers = { 'Content-Type': manifestType };
  const reply = await fetch(`${repository}/manifests/1`, { method: 'PUT', headers, body: manifest });
  if (reply.status !== 201) throw new Error(`bench: the registry refuses a manifest: ${await reply.text()}`);
}

async function pushBlob(repository: string, digest: string, bytes: Buffer): Promise<void> {
  const begun = await fetch(`${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(begun.headers.get('location') ?? '', repository);
  location.searchParams.set('digest', digest);
  const headers = { 'Content-Type': 'application/octet-stream' };
  const reply = await fetch(location, { method: 'PUT', headers, body: new Uint8Array(bytes) });
  if (reply.status !== 201) throw new Error(`bench: the registry refuses a blob: ${await reply.text()}`);
}

async function answers(url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await fetch(url);
      return;
    } catch {
      // Not yet.
      await delay(100);
    }
  }
  throw new Error(`bench: nothing answers at ${url}`);
}
