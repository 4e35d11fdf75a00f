import type { HistoryEntry, ImageConfig, RunConfig } from '../formats/oci/config.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { encodeManifest, type Manifest } from '../formats/oci/manifest.ts';
import { mediaTypes } from '../formats/oci/media-types.ts';

/** A layer on top, or none when nothing changed. */
export interface AddedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** What a new version of an image differs in. */
export interface ImageEdit {
  readonly created: string;
  readonly author: string;
  readonly config: RunConfig;
  readonly history: HistoryEntry;
  readonly layer?: AddedLayer;
}

/**
 * Returns the configuration document of an edited image; fields of the base that this engine does not know are kept (OCI
 * image-spec, config.md).
 */
export function editConfig(base: ImageConfig, edit: ImageEdit): Buffer {
  const { created, author, config, history, layer } = edit;
  const { author: _former, container: _container, container_config: _containerConfig, ...kept } = base.raw;
  const diffIds = layer ? [...base.diffIds, layer.diffId] : base.diffIds;
  return Buffer.from(
    JSON.stringify({
      ...kept,
      created,
      ...(author === '' ? {} : { author }),
      config,
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: [...base.history, { ...history, ...(layer ? {} : { empty_layer: true }) }],
    }),
  );
}

const ociTypes: Readonly<Record<string, string>> = {
  [mediaTypes.dockerLayer]: mediaTypes.ociLayer,
  [mediaTypes.dockerLayerGzip]: mediaTypes.ociLayerGzip,
};

/** Returns the manifest of an edited image, an OCI manifest whatever the base was: layers keep their digests. */
export function editManifest(
  base: Manifest,
  config: { digest: Digest; size: number },
  layer: AddedLayer | undefined,
): Buffer {
  const layers = layer ? [...base.layers, layer.descriptor] : base.layers;
  return encodeManifest({
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, ...config },
    layers: layers.map((descriptor) => ({
      ...descriptor,
      mediaType: ociTypes[descriptor.mediaType] ?? descriptor.mediaType,
    })),
  });
}
