import { EngineError } from '../base/errors.ts';
import type { ByteSource } from '../base/streams.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { PushOutcome } from '../graph/graph.ts';
import type { RegistryRequest, RegistryResponse, RegistrySession } from './session.ts';

/** Storing a large blob for good may take a registry minutes. */
const commitTimeoutMs = 300_000;
const mountAttempts = 3;

/** A blob on its way to a registry. */
export interface BlobUploadRequest {
  /** `v2/<name>/blobs/uploads/`. */
  readonly path: string;
  readonly scopes: readonly string[];
  readonly descriptor: Descriptor;
  readonly open: (offset: number) => Promise<ByteSource>;
  /** Repositories of this registry that may have the blob; the first three are tried. */
  readonly mountFrom: readonly { readonly repository: string; readonly scope: string }[];
  readonly onBytes: ((totalBytes: number) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Uploads a blob: mounted from another repository where possible, else in one PUT; after a cut it goes on where the registry
 * says it is, or from the start.
 */
export async function uploadBlob(session: RegistrySession, request: BlobUploadRequest): Promise<PushOutcome> {
  let location: URL | undefined;
  for (const candidate of request.mountFrom.slice(0, mountAttempts)) {
    if (location) await abandon(session, request, location);
    const started = await mount(session, request, candidate);
    if (started.status === 201) return { kind: 'mounted', from: candidate.repository };
    location = locationOf(started);
  }
  let offset = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      location ??= await start(session, request);
      await send(session, request, location, offset);
      return { kind: 'pushed' };
    } catch (error) {
      request.signal?.throwIfAborted();
      if (attempt >= session.attempts || !session.isTransient(error)) throw error;
      await session.pause(attempt, error, request.signal);
      const resumed: { location: URL; offset: number } | undefined =
        location && (await findOffset(session, request, location));
      location = resumed?.location;
      offset = resumed?.offset ?? 0;
    }
  }
}

function base(request: BlobUploadRequest): Pick<RegistryRequest, 'scopes' | 'signal'> {
  return { scopes: request.scopes, signal: request.signal };
}

async function mount(
  session: RegistrySession,
  request: BlobUploadRequest,
  candidate: { readonly repository: string; readonly scope: string },
): Promise<RegistryResponse> {
  const query = new URLSearchParams({ mount: request.descriptor.digest, from: candidate.repository });
  const response = await session.send({
    ...base(request),
    method: 'POST',
    path: `${request.path}?${query.toString()}`,
    scopes: [...request.scopes, candidate.scope],
  });
  response.discard();
  return response;
}

/** Gives up the upload that a refused mount has begun; registries that cannot forget it in time. */
async function abandon(session: RegistrySession, request: BlobUploadRequest, location: URL): Promise<void> {
  const expect = [400, 401, 403, 404, 405, 500, 501, 502, 503];
  const response = await session.send({ ...base(request), method: 'DELETE', path: location, expect, attempts: 1 });
  response.discard();
}

async function start(session: RegistrySession, request: BlobUploadRequest): Promise<URL> {
  const response = await session.send({ ...base(request), method: 'POST', path: request.path });
  response.discard();
  return locationOf(response);
}

function locationOf(response: RegistryResponse): URL {
  const location = URL.parse(response.headers.location ?? '', response.url);
  if (response.headers.location === undefined || !location || !/^https?:$/.test(location.protocol)) {
    throw new EngineError('unavailable', `${response.url.host} named no place to upload to`);
  }
  // What was reached over TLS is not continued without.
  if (response.url.protocol === 'https:' && location.protocol === 'http:') location.protocol = 'https:';
  return location;
}

async function send(
  session: RegistrySession,
  request: BlobUploadRequest,
  location: URL,
  offset: number,
): Promise<void> {
  const { descriptor } = request;
  const headers = { 'content-type': 'application/octet-stream' };
  const body = bodyFrom(request, offset);
  let target = location;
  if (offset > 0 && offset < descriptor.size) {
    const range = `${offset}-${descriptor.size - 1}`;
    const patched = await session.send({
      ...base(request),
      method: 'PATCH',
      path: location,
      headers: { ...headers, 'content-range': range },
      body,
      attempts: 1,
      answerTimeoutMs: commitTimeoutMs,
    });
    patched.discard();
    target = locationOf(patched);
  }
  const url = new URL(target);
  // Not by searchParams: what the registry put into the query must stay as it is.
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(descriptor.digest)}`;
  const response = await session.send({
    ...base(request),
    method: 'PUT',
    path: url,
    ...(offset > 0 ? {} : { headers, body }),
    attempts: 1,
    answerTimeoutMs: commitTimeoutMs,
  });
  response.discard();
}

function bodyFrom(request: BlobUploadRequest, offset: number): NonNullable<RegistryRequest['body']> {
  return {
    sizeBytes: request.descriptor.size - offset,
    open: async () => counted(await request.open(offset), request, offset),
  };
}

async function* counted(source: ByteSource, request: BlobUploadRequest, offset: number): ByteSource {
  let total = offset;
  for await (const chunk of source) {
    yield chunk;
    total += chunk.length;
    request.onBytes?.(total);
  }
  if (total !== request.descriptor.size) {
    throw new EngineError(
      'failedPrecondition',
      `content ${request.descriptor.digest}: unexpected size ${total}, expected ${request.descriptor.size}`,
    );
  }
}

/** Asks how much of a cut upload the registry has kept. */
async function findOffset(
  session: RegistrySession,
  request: BlobUploadRequest,
  location: URL,
): Promise<{ location: URL; offset: number } | undefined> {
  const response = await session.send({ ...base(request), method: 'GET', path: location, expect: [400, 404, 405] });
  response.discard();
  const last = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.range ?? '')?.[1];
  if (response.status !== 204 || last === undefined || response.headers.location === undefined) return undefined;
  const offset = Number(last) === 0 ? 0 : Number(last) + 1;
  return offset <= request.descriptor.size ? { location: locationOf(response), offset } : undefined;
}
