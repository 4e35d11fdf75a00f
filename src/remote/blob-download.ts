import { EngineError } from '../base/errors.ts';
import type { ByteSource } from '../base/streams.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { ConnectionError } from './connection-error.ts';
import type { RegistryResponse, RegistrySession } from './session.ts';

/** Failures in a row are forgiven when at least this much arrived between them. */
const progressBytes = 64 << 10;

/**
 * Opens a blob from `offset` on. The stream takes up a cut or stalled transfer where it was (HTTP ranges); it never gives more
 * bytes than the descriptor says. The caller checks the digest.
 *
 * @throws {EngineError} dataLoss when the registry announces another size.
 */
export async function downloadBlob(
  session: RegistrySession,
  request: {
    readonly path: string;
    readonly scopes: readonly string[];
    readonly descriptor: Descriptor;
    readonly offset: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<ByteSource> {
  if (request.offset >= request.descriptor.size && request.descriptor.size > 0) return nothing();
  const open = (offset: number): Promise<ByteSource> => openAt(session, { ...request, offset });
  const first = await open(request.offset);
  return resuming(session, request, first, open);
}

type DownloadRequest = Parameters<typeof downloadBlob>[1];

async function* nothing(): ByteSource {
  // The caller has all of it already.
}

async function* resuming(
  session: RegistrySession,
  request: DownloadRequest,
  first: ByteSource,
  open: (offset: number) => Promise<ByteSource>,
): ByteSource {
  const { descriptor, signal } = request;
  let position = request.offset;
  let forgivenAt = position;
  let failures = 0;
  let body: ByteSource | undefined = first;
  for (;;) {
    try {
      body ??= await open(position);
      for await (const chunk of body) {
        position += chunk.length;
        if (position > descriptor.size) throw wrongSize(descriptor, `more than ${descriptor.size}`);
        yield chunk;
      }
      if (position === descriptor.size) return;
      throw new ConnectionError('broken', `blob ${descriptor.digest}: ended at byte ${position} of ${descriptor.size}`);
    } catch (error) {
      signal?.throwIfAborted();
      if (!session.isTransient(error)) throw error;
      if (position - forgivenAt >= progressBytes) failures = 0;
      forgivenAt = position;
      if (++failures >= session.attempts) throw error;
      await session.pause(failures, error, signal);
      body = undefined;
    }
  }
}

/** Asks for the bytes from `offset` on, whether the registry knows ranges or not. */
async function openAt(session: RegistrySession, request: DownloadRequest): Promise<ByteSource> {
  const { descriptor, offset } = request;
  const response = await session.send({
    method: 'GET',
    path: request.path,
    scopes: request.scopes,
    signal: request.signal,
    ...(offset > 0 ? { headers: { range: `bytes=${offset}-` } } : {}),
  });
  try {
    return bodyFrom(response, descriptor, offset);
  } catch (error) {
    response.discard();
    throw error;
  }
}

function bodyFrom(response: RegistryResponse, descriptor: Descriptor, offset: number): ByteSource {
  if (response.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers['content-range'] ?? '');
    if (!range || Number(range[1]) !== offset) {
      throw new EngineError('dataLoss', `blob ${descriptor.digest}: registry sent another range than asked for`);
    }
    if (range[2] !== '*' && Number(range[2]) !== descriptor.size) throw wrongSize(descriptor, range[2] ?? '');
    return response.body;
  }
  const announced = response.headers['content-length'];
  if (announced !== undefined && Number(announced) !== descriptor.size) throw wrongSize(descriptor, announced);
  return offset === 0 ? response.body : skip(response.body, offset);
}

async function* skip(body: ByteSource, offset: number): ByteSource {
  let toSkip = offset;
  for await (const chunk of body) {
    if (chunk.length > toSkip) yield toSkip === 0 ? chunk : chunk.subarray(toSkip);
    toSkip = Math.max(0, toSkip - chunk.length);
  }
}

function wrongSize(descriptor: Descriptor, actual: string): EngineError {
  return new EngineError(
    'dataLoss',
    `blob ${descriptor.digest}: unexpected size ${actual}, expected ${descriptor.size}`,
  );
}
