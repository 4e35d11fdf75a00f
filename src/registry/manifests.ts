import { EngineError } from '../base/errors.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { tryParseDigest, type Digest } from '../formats/oci/digest.ts';
import { detectMediaType, parseJsonObject, parseManifest, type Index, type Manifest } from '../formats/oci/manifest.ts';
import { isIndexType, isManifestType } from '../formats/oci/media-types.ts';
import { isTag } from '../formats/oci/reference.ts';
import type { Actor, NewManifest, Page, RegistryMetadata, StoredManifest } from './metadata.ts';
import { problem } from './protocol-error.ts';
import { digestLike } from './registry.ts';

/** A tag or a digest in the path of a request. */
export type ManifestReference =
  { readonly kind: 'tag'; readonly tag: string } | { readonly kind: 'digest'; readonly digest: Digest };

/** @throws {ProtocolError} TAG_INVALID or DIGEST_INVALID */
export function parseManifestReference(text: string): ManifestReference {
  if (text.includes(':')) {
    const digest = tryParseDigest(text);
    if (digest === undefined) throw problem('DIGEST_INVALID', 'provided digest is malformed', { digest: text });
    return { kind: 'digest', digest };
  }
  if (!isTag(text)) throw problem('TAG_INVALID', 'manifest tag is malformed', { tag: text });
  return { kind: 'tag', tag: text };
}

/** @throws {ProtocolError} MANIFEST_UNKNOWN */
export async function getManifest(
  metadata: RegistryMetadata,
  repository: string,
  reference: ManifestReference,
): Promise<StoredManifest> {
  const found =
    reference.kind === 'digest'
      ? await metadata.findManifest(repository, reference.digest)
      : await metadata.findTagged(repository, reference.tag);
  if (!found) {
    const detail =
      reference.kind === 'digest' ? { digest: reference.digest } : { name: repository, tag: reference.tag };
    throw problem('MANIFEST_UNKNOWN', 'manifest unknown', detail);
  }
  return found;
}

/** A manifest as a client sends it. */
export interface ManifestUpload {
  readonly repository: string;
  readonly reference: ManifestReference;
  readonly content: Buffer;
  /** `Content-Type` without parameters; `undefined` where none was sent. */
  readonly mediaType: string | undefined;
  /** Further tags, with a digest in the path only. */
  readonly tags: readonly string[];
  readonly actor: Actor;
  readonly expect: Digest | 'none' | undefined;
}

/** Checks and keeps a manifest, byte for byte, durably (OCI distribution-spec, Pushing Manifests). */
export async function putManifest(
  metadata: RegistryMetadata,
  upload: ManifestUpload,
): Promise<{ readonly digest: Digest; readonly subject: Digest | undefined; readonly tags: readonly string[] }> {
  const { repository, reference, content } = upload;
  const wanted = reference.kind === 'digest' ? reference.digest : undefined;
  const digest = digestLike(content, wanted);
  if (wanted !== undefined && wanted !== digest) {
    throw problem('DIGEST_INVALID', 'provided digest did not match uploaded content', {
      digest: wanted,
      actual: digest,
    });
  }
  const manifest = readManifest(content, upload.mediaType, digest);
  const tags = reference.kind === 'tag' ? [reference.tag] : upload.tags;
  await metadata.putManifest(repository, manifest, {
    tags,
    actor: upload.actor,
    ...(upload.expect === undefined ? {} : { expect: upload.expect }),
  });
  return { digest, subject: manifest.subject, tags };
}

function readManifest(content: Buffer, announcedType: string | undefined, digest: Digest): NewManifest {
  try {
    const document = parseJsonObject(content, 'manifest');
    const mediaType = announcedType ?? detectMediaType(document);
    if (mediaType === undefined) throw problem('MANIFEST_INVALID', 'manifest has no media type');
    if (/\.manifest\.v1\+(json|prettyjws)$/.test(mediaType) && mediaType.includes('docker')) {
      throw problem('MANIFEST_INVALID', 'Docker image manifest version 2, schema 1 is not supported');
    }
    if (!isManifestType(mediaType) && !isIndexType(mediaType)) {
      const own = document['mediaType'];
      if (own !== undefined && own !== mediaType)
        throw problem('MANIFEST_INVALID', 'Content-Type differs from mediaType');
      return { digest, mediaType, content, blobs: [], manifests: [] };
    }
    const parsed = parseManifest(content, mediaType, 'manifest');
    const parts =
      parsed.kind === 'index'
        ? { blobs: [], manifests: parsed.manifests }
        : { blobs: [parsed.config, ...parsed.layers], manifests: [] };
    if (!parsed.subject) return { digest, mediaType, content, ...parts };
    const subject = parsed.subject.digest;
    return { digest, mediaType, content, ...parts, subject, referrer: referrerOf(parsed, digest, content.length) };
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'invalidArgument' && error.name === 'EngineError') {
      throw problem('MANIFEST_INVALID', error.message, undefined, { cause: error });
    }
    throw error;
  }
}

function referrerOf(manifest: Manifest | Index, digest: Digest, size: number): Descriptor {
  const artifactType = manifest.artifactType ?? (manifest.kind === 'manifest' ? manifest.config.mediaType : undefined);
  const { mediaType, annotations } = manifest;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** Removes a tag, or a manifest with its tags. @throws {ProtocolError} MANIFEST_UNKNOWN, DENIED while an index lists it. */
export async function deleteManifest(
  metadata: RegistryMetadata,
  repository: string,
  reference: ManifestReference,
  actor: Actor,
): Promise<void> {
  const deleted =
    reference.kind === 'tag'
      ? await metadata.deleteTag(repository, reference.tag, actor)
      : await metadata.deleteManifest(repository, reference.digest, actor);
  if (!deleted) throw problem('MANIFEST_UNKNOWN', 'manifest unknown');
}

/**
 * Returns what refers to a subject (OCI distribution-spec, Listing Referrers); those that older clients listed under the tag
 * `sha256-<digest>` come with the first page.
 */
export async function listReferrers(
  metadata: RegistryMetadata,
  repository: string,
  subject: Digest,
  artifactType: string | undefined,
  page: Page,
): Promise<readonly Descriptor[]> {
  const listed = await metadata.listReferrers(repository, subject, artifactType, page);
  if (page.after !== undefined) return listed;
  const [algorithm = '', encoded = ''] = subject.split(':');
  const fallback = await metadata.findTagged(repository, `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`);
  if (!fallback || !isIndexType(fallback.mediaType)) return listed;
  const index = parseManifest(fallback.content, fallback.mediaType, 'referrers index');
  const known = new Set(listed.map((descriptor) => descriptor.digest));
  const older = index.kind === 'index' ? index.manifests : [];
  const wanted = older.filter(
    (descriptor) =>
      !known.has(descriptor.digest) && (artifactType === undefined || descriptor.artifactType === artifactType),
  );
  return [...listed, ...wanted];
}
