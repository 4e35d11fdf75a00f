/** A registry with one image of one layer, whose answers a test may spoil. */
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/formats/oci/digest.ts';
import { mediaTypes } from '../../src/formats/oci/media-types.ts';
import { hostPlatform } from '../../src/formats/oci/platform.ts';
import {
  startScriptedRegistry,
  type ScriptedAnswer,
  type ScriptedRegistry,
} from '../../src/remote/scripted-registry.ts';

/** The bytes that the registry serves, by what they are. */
export interface ImageBytes {
  readonly layer: Buffer;
  readonly config: Buffer;
  readonly manifest: Buffer;
}

/** Makes an image of one layer from its compressed bytes, and from the tar that the configuration claims to be in there. */
export function imageOf(tar: Buffer, layer: Buffer = gzipSync(tar)): ImageBytes {
  const { os, architecture } = hostPlatform();
  const config = Buffer.from(
    JSON.stringify({
      os,
      architecture,
      config: { Cmd: ['/x'] },
      rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: mediaTypes.ociLayerGzip, digest: digestOf(layer), size: layer.length }],
    }),
  );
  return { layer, config, manifest };
}

/** Serves an image as `bad/image:1`; what `spoil` returns for a part is sent instead of it. */
export function serveImage(
  image: ImageBytes,
  spoil: (part: 'manifest' | 'config' | 'layer', count: number) => ScriptedAnswer | undefined = () => undefined,
): Promise<ScriptedRegistry> {
  const counts = { manifest: 0, config: 0, layer: 0 };
  const partOf = (path: string): keyof typeof counts | undefined => {
    if (/^\/v2\/bad\/image\/manifests\/(1|sha256:.*)$/.test(path)) return 'manifest';
    if (path.endsWith(digestOf(image.config))) return 'config';
    return path.endsWith(digestOf(image.layer)) ? 'layer' : undefined;
  };
  return startScriptedRegistry(({ method, path }) => {
    if (path === '/v2/') return undefined;
    const part = partOf(path);
    if (!part) {
      const errors = [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }];
      return { status: 404, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ errors }) };
    }
    const spoilt = spoil(part, ++counts[part]);
    if (spoilt) return spoilt;
    const bytes = image[part];
    const headers = {
      'Content-Type': part === 'manifest' ? mediaTypes.ociManifest : 'application/octet-stream',
      'Content-Length': String(bytes.length),
      ...(part === 'manifest' ? { 'Docker-Content-Digest': digestOf(bytes) } : {}),
    };
    return { status: 200, headers, ...(method === 'HEAD' ? {} : { body: bytes }) };
  });
}
