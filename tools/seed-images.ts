/**
 * Puts the official images that a Hub lacks there: `node tools/seed-images.ts HUB-ADDRESS WORK-FOLDER [NAME…]`. Roots are made by
 * images/NAME/rootfs.sh from Debian's packages, layers and manifests by our own writer.
 */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { ContentGraph } from '../src/content/content-graph.ts';
import { LocalContentStore } from '../src/content/local-store.ts';
import { writeBytes } from '../src/content/write-blob.ts';
import type { RunConfig } from '../src/formats/oci/config.ts';
import type { Descriptor } from '../src/formats/oci/descriptor.ts';
import { encodeManifest } from '../src/formats/oci/manifest.ts';
import { mediaTypes } from '../src/formats/oci/media-types.ts';
import { hostPlatform } from '../src/formats/oci/platform.ts';
import { parseReference } from '../src/formats/oci/reference.ts';
import { copyGraph } from '../src/graph/copy-graph.ts';
import { openErofsLayerStore } from '../src/layer/erofs-layer-store.ts';
import { RegistryClient } from '../src/remote/registry-client.ts';

interface OfficialImage {
  readonly name: string;
  readonly tags: readonly string[];
  readonly config: RunConfig;
  readonly description: string;
}

const root = path.resolve(import.meta.dirname, '..');
const [hub = '127.0.0.1:5000', workFolder = '/var/tmp', ...only] = process.argv.slice(2);
const images = JSON.parse(await readFile(path.join(root, 'images/images.json'), 'utf8')) as readonly OfficialImage[];
using client = new RegistryClient();

for (const image of images) {
  if (only.length > 0 && !only.includes(image.name)) continue;
  const missing = await missingTags(image);
  if (missing.length === 0) continue;
  const begin = Date.now();
  await seed(image, missing);
  console.log(`seed: ${image.name}: ${missing.join(', ')} in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
}

async function missingTags(image: OfficialImage): Promise<readonly string[]> {
  const response = await fetch(`http://${hub}/v2/library/${image.name}/tags/list`);
  if (response.status === 404) return image.tags;
  if (!response.ok) throw new Error(`${hub} answers ${response.status} for the tags of ${image.name}`);
  const { tags } = (await response.json()) as { readonly tags: readonly string[] };
  return image.tags.filter((tag) => !tags.includes(tag));
}

async function seed(image: OfficialImage, tags: readonly string[]): Promise<void> {
  await mkdir(workFolder, { recursive: true });
  const folder = await mkdtemp(path.join(workFolder, `image-${image.name}-`));
  try {
    const rootfs = path.join(folder, 'rootfs');
    await mkdir(rootfs, { mode: 0o755 });
    execFileSync(path.join(root, 'images', image.name, 'rootfs.sh'), [rootfs], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const content = await LocalContentStore.open(path.join(folder, 'content'));
    const descriptor = await assemble(image, rootfs, content, folder);
    for (const tag of tags) {
      const repository = client.openRepository(parseReference(`${hub}/library/${image.name}:${tag}`));
      await copyGraph(new ContentGraph(content), repository, descriptor);
      await repository.tag(descriptor, tag);
    }
    await describe(image);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function assemble(
  image: OfficialImage,
  rootfs: string,
  content: LocalContentStore,
  folder: string,
): Promise<Descriptor> {
  await using layers = await openErofsLayerStore(path.join(folder, 'layers'));
  const packed = await layers.pack(rootfs, { compression: 'gzip' });
  await content.adopt(packed.blob.file, packed.blob.digest, packed.blob.sizeBytes);
  const created = new Date().toISOString();
  const { os, architecture } = hostPlatform();
  const config = await writeBytes(
    content,
    Buffer.from(
      JSON.stringify({
        architecture,
        os,
        created,
        config: image.config,
        rootfs: { type: 'layers', diff_ids: [packed.diffId] },
        history: [
          { created, created_by: `images/${image.name}/rootfs.sh`, comment: image.description },
          { created, created_by: `CMD ${JSON.stringify(image.config.Cmd)}`, empty_layer: true },
        ],
      }),
    ),
  );
  const manifest = await writeBytes(
    content,
    encodeManifest({
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.sizeBytes },
      layers: [{ mediaType: packed.blob.mediaType, digest: packed.blob.digest, size: packed.blob.sizeBytes }],
    }),
  );
  return { mediaType: mediaTypes.ociManifest, digest: manifest.digest, size: manifest.sizeBytes };
}

async function describe({ name, description }: OfficialImage): Promise<void> {
  const response = await fetch(`http://${hub}/api/repositories/library/${name}`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ description }),
  });
  if (!response.ok) throw new Error(`${hub} answers ${response.status} to the description of ${name}`);
}
