import type { ServerResponse } from 'node:http';
import { EngineError } from '../../base/errors.ts';
import type { BlobHandle } from '../../content/content-store.ts';
import { tryParseDigest, type Digest } from '../../formats/oci/digest.ts';
import { problem } from '../protocol-error.ts';
import type { Exchange } from './exchange.ts';

/** Reads the digest in a path or query. @throws {ProtocolError} DIGEST_INVALID */
export function digestIn(text: string): Digest {
  const digest = tryParseDigest(text);
  if (digest === undefined) throw problem('DIGEST_INVALID', 'provided digest is malformed', { digest: text });
  return digest;
}

/** GET and HEAD of a blob, whole or in part (OCI distribution-spec, Pulling blobs; end-2). */
export async function getBlob(exchange: Exchange): Promise<void> {
  const { registry, request, response, repository } = exchange;
  const digest = digestIn(exchange.target);
  const sizeBytes = await registry.statBlob(repository, digest);
  const range = parseRange(request.headers.range, sizeBytes);
  if (range === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${sizeBytes}`);
    throw problem('RANGE_INVALID', 'invalid range', { range: request.headers.range });
  }
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': end - start,
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'cache-control': 'max-age=31536000, immutable',
    'accept-ranges': 'bytes',
    ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${sizeBytes}` } : {}),
  };
  if (request.method === 'HEAD') {
    response.writeHead(range ? 206 : 200, headers).end();
    return;
  }
  await using blob = await registry.openBlob(digest, { start, end });
  response.writeHead(range ? 206 : 200, headers);
  await sendBlob(blob, response);
}

async function sendBlob(blob: BlobHandle, response: ServerResponse): Promise<void> {
  const { promise: gone, reject } = Promise.withResolvers<never>();
  gone.catch(() => undefined);
  const onClose = (): void => reject(new EngineError('cancelled', 'the client went away'));
  response.once('close', onClose);
  await blob.copyTo((chunk) => Promise.race([write(response, chunk), gone]));
  response.removeListener('close', onClose);
  response.end();
}

/** Settles when the kernel has the bytes, or fails with the reason why it never will. */
function write(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

type RangeResult = { readonly start: number; readonly end: number } | 'unsatisfiable' | undefined;

/** Reads a `Range` of one part (RFC 9110, section 14.2); what is no byte range is as if it were not there. */
export function parseRange(header: string | undefined, sizeBytes: number): RangeResult {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || header === 'bytes=-') return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') {
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? 'unsatisfiable' : { start: sizeBytes - length, end: sizeBytes };
  }
  const start = Number(first);
  const end = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  return start >= sizeBytes || end <= start ? 'unsatisfiable' : { start, end };
}

/** DELETE of a blob (end-10): the repository has it no more. */
export async function deleteBlob(exchange: Exchange): Promise<void> {
  await exchange.registry.deleteBlob(exchange.repository, digestIn(exchange.target));
  exchange.response.writeHead(202, { 'content-length': 0 }).end();
}
