import type { Clock } from '../base/clock.ts';
import type { ContentGraph } from '../content/content-graph.ts';
import type { LocalContentStore } from '../content/local-store.ts';
import { readBytes, writeBytes } from '../content/write-blob.ts';
import { configLimitBytes, parseImageConfig, type ImageConfig } from '../formats/oci/config.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { manifestLimitBytes, parseManifest, type Index, type Manifest } from '../formats/oci/manifest.ts';
import type { Holds } from '../gc/references.ts';
import type { LayerStore } from '../layer/layer-store.ts';
import type { ImageStore } from './records.ts';

/** What the verbs of this folder work with. */
export interface ImageContext {
  readonly store: ImageStore;
  readonly content: LocalContentStore;
  /** The content store as an end of copies. */
  readonly graph: ContentGraph;
  readonly layers: LayerStore;
  readonly holds: Holds;
  readonly clock: Clock;
  /** Lies below the image's layers in every container. */
  readonly mountpointsLayer: Digest;
}

/** Reads a manifest or index that is in the content store. @throws {EngineError} notFound, invalidArgument */
export async function readManifest(context: ImageContext, descriptor: Descriptor): Promise<Manifest | Index> {
  const content = await readBytes(context.content, descriptor.digest, manifestLimitBytes);
  return parseManifest(content, descriptor.mediaType, descriptor.digest);
}

/** Reads an image configuration that is in the content store. @throws {EngineError} notFound, invalidArgument */
export async function readConfig(context: ImageContext, digest: Digest): Promise<ImageConfig> {
  return parseImageConfig(await readBytes(context.content, digest, configLimitBytes), digest);
}

/** Puts a small document into the content store, durably. */
export async function writeDocument(
  context: ImageContext,
  content: Uint8Array,
): Promise<{ digest: Digest; size: number }> {
  const { digest, sizeBytes } = await writeBytes(context.content, content);
  return { digest, size: sizeBytes };
}
