import type { ServerResponse } from 'node:http';
import { problem } from '../protocol-error.ts';
import { OffsetError, type UploadPart, type UploadState } from '../registry.ts';
import { digestIn } from './blobs.ts';
import type { Exchange } from './exchange.ts';

/** POST: begins an upload, takes a whole blob (`?digest=`), or mounts one (`?mount=`) (end-4a, 4b, 4c, 11). */
export async function startUpload(exchange: Exchange): Promise<void> {
  const { registry, repository, query, response } = exchange;
  const mount = query.get('mount');
  if (mount !== null) {
    const digest = digestIn(mount);
    const from = query.get('from') ?? undefined;
    if (await registry.metadata.mountBlob(repository, digest, from)) {
      sendCreated(response, repository, digest);
      return;
    }
  }
  const algorithm = query.get('digest-algorithm');
  if (algorithm !== null && algorithm !== 'sha256' && algorithm !== 'sha512') {
    throw problem('DIGEST_INVALID', 'unsupported digest algorithm', { algorithm });
  }
  const whole = query.get('digest');
  const digest = whole === null ? undefined : digestIn(whole);
  const upload = await registry.startUpload(repository);
  if (digest === undefined) {
    sendState(response, 202, repository, upload);
    return;
  }
  await registry.finishUpload(repository, upload.id, partOf(exchange), digest);
  sendCreated(response, repository, digest);
}

/** PATCH: appends a chunk, or a stream without `Content-Range` (end-5). */
export async function patchUpload(exchange: Exchange): Promise<void> {
  const { registry, repository, target, response } = exchange;
  await orOffset(exchange, async () => {
    sendState(response, 202, repository, await registry.appendUpload(repository, target, partOf(exchange)));
  });
}

/** PUT: ends an upload (end-6). */
export async function finishUpload(exchange: Exchange): Promise<void> {
  const { registry, repository, target, query, response } = exchange;
  const digest = digestIn(query.get('digest') ?? '');
  await orOffset(exchange, async () => {
    await registry.finishUpload(repository, target, partOf(exchange), digest);
    sendCreated(response, repository, digest);
  });
}

/** GET: tells where an upload is (end-13). */
export async function getUpload(exchange: Exchange): Promise<void> {
  const { registry, repository, target, response } = exchange;
  sendState(response, 204, repository, await registry.statUpload(repository, target));
}

/** DELETE: gives an upload up (end-14). */
export async function cancelUpload(exchange: Exchange): Promise<void> {
  await exchange.registry.cancelUpload(exchange.repository, exchange.target);
  exchange.response.writeHead(204).end();
}

async function orOffset(exchange: Exchange, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof OffsetError)) throw error;
    const { response, repository, target } = exchange;
    setStateHeaders(response, repository, { id: target, offset: error.offset });
    throw problem(
      'RANGE_INVALID',
      'chunk does not begin where the upload is',
      { offset: error.offset },
      { cause: error },
    );
  }
}

function partOf(exchange: Exchange): UploadPart {
  const { request } = exchange;
  const header = request.headers['content-range'];
  if (header === undefined) return { body: request };
  const match = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header);
  const [start, last] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || last < start) throw problem('RANGE_INVALID', 'invalid Content-Range', { range: header });
  const lengthBytes = last - start + 1;
  const announced = request.headers['content-length'];
  if (announced !== undefined && Number(announced) !== lengthBytes) {
    throw problem('SIZE_INVALID', 'Content-Length and Content-Range differ', { range: header, length: announced });
  }
  return { body: request, range: { start, lengthBytes } };
}

function setStateHeaders(response: ServerResponse, repository: string, upload: UploadState): void {
  response.setHeader('location', `/v2/${repository}/blobs/uploads/${upload.id}`);
  response.setHeader('docker-upload-uuid', upload.id);
  response.setHeader('range', `0-${Math.max(0, upload.offset - 1)}`);
}

function sendState(response: ServerResponse, status: number, repository: string, upload: UploadState): void {
  setStateHeaders(response, repository, upload);
  response.writeHead(status, status === 204 ? {} : { 'content-length': 0 }).end();
}

function sendCreated(response: ServerResponse, repository: string, digest: string): void {
  const headers = {
    location: `/v2/${repository}/blobs/${digest}`,
    'docker-content-digest': digest,
    'content-length': 0,
  };
  response.writeHead(201, headers).end();
}
