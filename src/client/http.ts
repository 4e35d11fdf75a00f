/**
 * HTTP/1.1 towards an engine: one request per connection, over `node:net` alone, because loading `node:http` takes longer
 * than a whole command should.
 */
import { connect, type Socket } from 'node:net';
import { EngineError, errorCode, isErrorCode, messageOf } from '../base/errors.ts';
import { ByteReader } from './byte-reader.ts';
import type { Endpoint } from './endpoint.ts';
import { ConnectionError } from './errors.ts';

/** What is asked of an engine. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends the exchange, whatever its state. */
  readonly signal?: AbortSignal;
}

/** An answer's head, and the way to its body. The caller reads the body to its end or disposes. */
export interface HttpResponse extends Disposable {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: AsyncIterable<Buffer>;
  /** The connection itself, for what has been upgraded. */
  readonly socket: Socket;
}

/**
 * Sends a request and returns as soon as the head of the answer is there.
 *
 * @throws {ConnectionError} when nobody listens.
 * @throws {EngineError} unavailable when the answer is no HTTP; cancelled by the signal.
 */
export async function exchange(endpoint: Endpoint, request: HttpRequest): Promise<HttpResponse> {
  request.signal?.throwIfAborted();
  const socket = await open(endpoint);
  const abort = (): void => void socket.destroy(request.signal?.reason as Error);
  request.signal?.addEventListener('abort', abort, { once: true });
  // Failures reach the reader; a socket destroyed after its last use has nobody else to tell.
  socket.on('error', () => undefined);
  try {
    socket.write(formatRequest(endpoint, request));
    const reader = new ByteReader(socket);
    const { status, headers } = await readHead(reader);
    const body = readBody(reader, request, status, headers, socket);
    const dispose = (): void => {
      request.signal?.removeEventListener('abort', abort);
      socket.destroy();
    };
    return { status, headers, body, socket, [Symbol.dispose]: dispose };
  } catch (error) {
    socket.destroy();
    request.signal?.throwIfAborted();
    if (error instanceof EngineError) throw error;
    throw new EngineError('unavailable', `error during connect: ${messageOf(error)}`, { cause: error });
  }
}

async function open(endpoint: Endpoint): Promise<Socket> {
  const place = endpoint.kind === 'unix' ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  const socket = connect({ ...place, allowHalfOpen: true });
  try {
    await new Promise<void>((resolve, reject) => void socket.once('connect', resolve).once('error', reject));
  } catch (error) {
    socket.destroy();
    throw refusal(endpoint, error);
  }
  if (endpoint.kind === 'tcp') socket.setNoDelay(true).setKeepAlive(true, 30_000);
  return socket;
}

function refusal(endpoint: Endpoint, error: unknown): EngineError {
  if (!isErrorCode(error, 'EACCES', 'EPERM')) return new ConnectionError(endpoint.address, { cause: error });
  const text = `permission denied while trying to connect to the Docker daemon socket at ${endpoint.address}`;
  return new EngineError('permissionDenied', `${text}: ${errorCode(error) ?? ''}`, { cause: error });
}

function formatRequest(endpoint: Endpoint, { method, target, headers = {}, body }: HttpRequest): string {
  const length = method === 'GET' || method === 'HEAD' ? body?.length : Buffer.byteLength(body ?? '');
  const all: Record<string, string> = {
    Host: endpoint.kind === 'unix' ? 'api.moby.localhost' : `${endpoint.host}:${endpoint.port}`,
    'User-Agent': 'Slipway-Client/0.1.0 (linux)',
    Connection: 'close',
    ...(length === undefined ? {} : { 'Content-Length': String(length) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body ?? ''}`;
}

async function readHead(reader: ByteReader): Promise<{ status: number; headers: Map<string, string> }> {
  const first = await reader.line();
  const match = /^HTTP\/1\.[01] (?<status>\d{3})/.exec(first);
  if (!match) throw new EngineError('unavailable', `malformed HTTP response ${JSON.stringify(first.slice(0, 80))}`);
  const headers = new Map<string, string>();
  for (;;) {
    const line = await reader.line();
    if (line === '') break;
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(match.groups?.['status']), headers };
}

async function* readBody(
  reader: ByteReader,
  request: HttpRequest,
  status: number,
  headers: ReadonlyMap<string, string>,
  socket: Socket,
): AsyncGenerator<Buffer, void, void> {
  try {
    if (request.method === 'HEAD' || status === 204 || status === 304) return;
    const length = headers.get('content-length');
    if (status !== 101 && headers.get('transfer-encoding') === 'chunked') yield* readChunks(reader);
    else if (status !== 101 && length !== undefined) yield* readExactly(reader, Number(length));
    else for (let chunk = await reader.read(); chunk; chunk = await reader.read()) yield chunk;
  } catch (error) {
    request.signal?.throwIfAborted();
    if (error instanceof EngineError) throw error;
    throw new EngineError('unavailable', messageOf(error), { cause: error });
  } finally {
    // What has been upgraded may still be written to.
    if (status !== 101) socket.destroy();
  }
}

async function* readChunks(reader: ByteReader): AsyncGenerator<Buffer, void, void> {
  for (;;) {
    const size = Number.parseInt(await reader.line(), 16);
    if (Number.isNaN(size)) throw new EngineError('unavailable', 'malformed chunked encoding');
    if (size > 0) yield* readExactly(reader, size);
    const end = await reader.line();
    if (size === 0 && end === '') return;
  }
}

async function* readExactly(reader: ByteReader, size: number): AsyncGenerator<Buffer, void, void> {
  for (let left = size; left > 0;) {
    const chunk = await reader.read(left);
    if (!chunk) throw new EngineError('unavailable', 'unexpected EOF');
    left -= chunk.length;
    yield chunk;
  }
}
