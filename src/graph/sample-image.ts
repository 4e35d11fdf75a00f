import { EngineError } from '../base/errors.ts';
import type { ByteSource } from '../base/streams.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { digestOf, type Digest } from '../formats/oci/digest.ts';
import { encodeManifest } from '../formats/oci/manifest.ts';
import { mediaTypes } from '../formats/oci/media-types.ts';
import type { Source } from './graph.ts';

/** An image in memory, for tests: `root` and everything below it. */
export interface SampleImage {
  readonly root: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly contents: ReadonlyMap<Digest, Buffer>;
}

/** Returns an image whose layers hold the given bytes (they need not be archives). */
export function sampleImage(layerContents: readonly (string | Buffer)[], architecture = 'amd64'): SampleImage {
  const contents = new Map<Digest, Buffer>();
  const add = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = digestOf(bytes);
    contents.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const layers = layerContents.map((content) => add(mediaTypes.ociLayer, Buffer.from(content)));
  const diffIds = layers.map((layer) => layer.digest);
  const config = add(
    mediaTypes.ociConfig,
    Buffer.from(JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: diffIds } })),
  );
  const mediaType = mediaTypes.ociManifest;
  const root = add(mediaType, encodeManifest({ mediaType, config, layers }));
  return { root, config, layers, contents };
}

/** Returns an index over images, with the platforms given. */
export function sampleIndex(images: Readonly<Record<string, SampleImage>>): SampleImage {
  const manifests = Object.entries(images).map(([platform, image]) => {
    const [os = '', architecture = ''] = platform.split('/');
    return { ...image.root, platform: { os, architecture } };
  });
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  const contents = new Map(Object.values(images).flatMap((image) => [...image.contents]));
  const digest = digestOf(bytes);
  contents.set(digest, bytes);
  const [first] = Object.values(images);
  if (!first) throw new EngineError('invalidArgument', 'an index needs an image');
  return { ...first, root: { mediaType: mediaTypes.ociIndex, digest, size: bytes.length }, contents };
}

/** Returns the contents as the source of a copy, counting what is fetched. */
export function sampleSource(image: SampleImage): Pick<Source, 'fetch'> & { readonly fetched: Digest[] } {
  const fetched: Digest[] = [];
  return {
    fetched,
    fetch(descriptor, options = {}): Promise<ByteSource> {
      fetched.push(descriptor.digest);
      const content = image.contents.get(descriptor.digest);
      if (!content) return Promise.reject(new EngineError('notFound', `content ${descriptor.digest} not found`));
      return Promise.resolve(inChunks(content.subarray(options.offset ?? 0)));
    },
  };
}

async function* inChunks(content: Buffer): ByteSource {
  const chunkBytes = 1000;
  for (let start = 0; start < content.length; start += chunkBytes) yield content.subarray(start, start + chunkBytes);
}
