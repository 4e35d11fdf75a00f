import { EngineError } from '../../base/errors.ts';
import { isJsonObject, parseDescriptor, stringMap, type Descriptor, type JsonObject } from './descriptor.ts';
import { isIndexType, isManifestType, mediaTypes } from './media-types.ts';

/** An image manifest (OCI image-spec, manifest.md; Docker schema 2). */
export interface Manifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A list of manifests, one a platform (OCI image-spec, image-index.md; Docker manifest list). */
export interface Index {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Manifests larger than this are refused (OCI distribution-spec asks for at least 4 MiB). */
export const manifestLimitBytes: number = 8 << 20;

/**
 * Reads a manifest or index. `mediaType` is what the transport said it is; the document's own field must not disagree.
 *
 * @throws {EngineError} invalidArgument when the document is malformed, of another type, or ambiguous (has both `layers` and
 * `manifests`; CVE-2021-41190).
 */
export function parseManifest(content: Uint8Array, mediaType: string, subject = 'manifest'): Manifest | Index {
  const document = parseJsonObject(content, subject);
  const own = document['mediaType'];
  if (own !== undefined && own !== mediaType) {
    throw new EngineError(
      'invalidArgument',
      `${subject}: mediaType ${JSON.stringify(own)} differs from ${JSON.stringify(mediaType)}`,
    );
  }
  const shared = {
    mediaType,
    ...(typeof document['artifactType'] === 'string' ? { artifactType: document['artifactType'] } : {}),
    ...(document['subject'] !== undefined
      ? { subject: parseDescriptor(document['subject'], `${subject}: subject`) }
      : {}),
    ...(isJsonObject(document['annotations']) ? { annotations: stringMap(document['annotations']) } : {}),
  };
  if (isIndexType(mediaType)) {
    if (document['layers'] !== undefined || document['config'] !== undefined) throw ambiguous(subject);
    const manifests = descriptorList(document['manifests'], `${subject}: manifests`);
    return { kind: 'index', manifests, ...shared };
  }
  if (isManifestType(mediaType)) {
    if (document['manifests'] !== undefined) throw ambiguous(subject);
    const config = parseDescriptor(document['config'], `${subject}: config`);
    return { kind: 'manifest', config, layers: descriptorList(document['layers'], `${subject}: layers`), ...shared };
  }
  throw new EngineError('invalidArgument', `${subject}: unsupported media type ${JSON.stringify(mediaType)}`);
}

function ambiguous(subject: string): EngineError {
  return new EngineError('invalidArgument', `${subject}: is both a manifest and an index`);
}

function descriptorList(value: unknown, subject: string): readonly Descriptor[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new EngineError('invalidArgument', `${subject} is not a list`);
  return value.map((item: unknown, index) => parseDescriptor(item, `${subject}[${index}]`));
}

/**
 * Parses bytes as one JSON object.
 *
 * @throws {EngineError} invalidArgument naming `subject`.
 */
export function parseJsonObject(content: Uint8Array, subject: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch (error) {
    throw new EngineError('invalidArgument', `${subject}: not JSON`, { cause: error });
  }
  if (!isJsonObject(value)) throw new EngineError('invalidArgument', `${subject}: not a JSON object`);
  return value;
}

/** Guesses the media type of a manifest whose transport named none, from its fields. */
export function detectMediaType(document: JsonObject): string | undefined {
  if (typeof document['mediaType'] === 'string') return document['mediaType'];
  if (Array.isArray(document['manifests'])) return mediaTypes.ociIndex;
  return document['config'] !== undefined ? mediaTypes.ociManifest : undefined;
}

/** Returns the bytes of a new OCI manifest, with its media type written in it. */
export function encodeManifest(parts: {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}): Buffer {
  const { mediaType, config, layers, annotations } = parts;
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, config, layers, ...(annotations ? { annotations } : {}) }),
  );
}

/** Returns what a manifest or index refers to, children first in the order of the document; a `subject` is not a child. */
export function childrenOf(document: Manifest | Index): readonly Descriptor[] {
  return document.kind === 'index' ? document.manifests : [document.config, ...document.layers];
}
