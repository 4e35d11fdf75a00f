import { EngineError } from '../../base/errors.ts';
import { collect } from '../../base/streams.ts';
import { tryParseDigest, type Digest } from '../../formats/oci/digest.ts';
import { manifestLimitBytes } from '../../formats/oci/manifest.ts';
import { isTag } from '../../formats/oci/reference.ts';
import * as manifests from '../manifests.ts';
import { problem } from '../protocol-error.ts';
import type { Exchange } from './exchange.ts';

/** GET and HEAD of a manifest, byte for byte as pushed (end-3). */
export async function getManifest(exchange: Exchange): Promise<void> {
  const { registry, request, response, repository } = exchange;
  const reference = manifests.parseManifestReference(exchange.target);
  const { digest, mediaType, content } = await manifests.getManifest(registry.metadata, repository, reference);
  const headers = {
    'content-type': mediaType,
    'content-length': content.length,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    // What a manifest says it is must not be guessed otherwise by a browser.
    'x-content-type-options': 'nosniff',
    ...(reference.kind === 'digest' ? { 'cache-control': 'max-age=31536000, immutable' } : {}),
  };
  if (request.headers['if-none-match'] === `"${digest}"`) {
    response.writeHead(304, { etag: headers.etag, 'docker-content-digest': digest }).end();
    return;
  }
  response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : content);
}

/** PUT of a manifest by tag or digest, with further tags by `?tag=` (end-7a, 7b); `If-Match` makes moving a tag conditional. */
export async function putManifest(exchange: Exchange): Promise<void> {
  const { registry, request, response, repository, query, actor } = exchange;
  const reference = manifests.parseManifestReference(exchange.target);
  const tags = query.getAll('tag');
  if (tags.length > 0 && reference.kind === 'tag')
    throw problem('TAG_INVALID', 'further tags need a digest in the path');
  for (const tag of tags) if (!isTag(tag)) throw problem('TAG_INVALID', 'manifest tag is malformed', { tag });
  if (Number(request.headers['content-length'] ?? 0) > manifestLimitBytes) throw tooLarge();
  const content = await readBody(exchange);
  const put = await manifests.putManifest(registry.metadata, {
    repository,
    reference,
    content,
    mediaType: request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() || undefined,
    tags: [...new Set(tags)],
    actor,
    expect: expectation(exchange),
  });
  if (put.subject !== undefined) response.setHeader('oci-subject', put.subject);
  if (tags.length > 0) response.setHeader('oci-tag', put.tags.join(', '));
  response
    .writeHead(201, {
      location: `/v2/${repository}/manifests/${put.digest}`,
      'docker-content-digest': put.digest,
      'content-length': 0,
    })
    .end();
}

function tooLarge(): Error {
  return problem('MANIFEST_INVALID', `manifest is larger than ${manifestLimitBytes} bytes`, undefined, { status: 413 });
}

async function readBody(exchange: Exchange): Promise<Buffer> {
  try {
    return await collect(exchange.request, manifestLimitBytes, 'manifest');
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'resourceExhausted') throw tooLarge();
    throw error;
  }
}

/** Reads `If-Match: "<digest>"` and `If-None-Match: *`. */
function expectation(exchange: Exchange): Digest | 'none' | undefined {
  const { 'if-match': match, 'if-none-match': noneMatch } = exchange.request.headers;
  if (noneMatch?.trim() === '*') return 'none';
  if (match === undefined) return undefined;
  const digest = tryParseDigest(/^"([^"]*)"$/.exec(match.trim())?.[1] ?? '');
  if (digest === undefined)
    throw problem('PRECONDITION_FAILED', 'If-Match must be one quoted digest', { value: match });
  return digest;
}

/** DELETE of a tag or manifest (end-9). */
export async function deleteManifest(exchange: Exchange): Promise<void> {
  const { registry, repository, actor, response } = exchange;
  await manifests.deleteManifest(
    registry.metadata,
    repository,
    manifests.parseManifestReference(exchange.target),
    actor,
  );
  response.writeHead(202, { 'content-length': 0 }).end();
}
