import { createServer, ServerResponse, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { EngineError, kindOf, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { parseJsonObject } from '../formats/oci/manifest.ts';
import { collect } from '../base/streams.ts';
import { errorReply } from './errors.ts';
import { streamTypes } from './multiplex.ts';
import {
  formatVersion,
  maximumVersion,
  minimumVersion,
  type ApiReply,
  type ApiRequest,
  type ApiVersion,
  type Hijacked,
  type LineStream,
  type Route,
} from './route.ts';
import { Router } from './router.ts';

/** What the server tells of itself in every reply. */
export interface ServerIdentity {
  readonly version: string;
  readonly experimental: boolean;
}

const bodyLimitBytes = 4 << 20;

/**
 * Makes an HTTP server of routes; the caller lets it listen. It speaks every version from 1.24 to 1.51: paths may begin with
 * `/v1.NN`, and stand for the newest without.
 */
export function createApiServer(routes: readonly Route[], identity: ServerIdentity, log: Logger): Server {
  const router = new Router(routes);
  const server = createServer(
    { keepAliveTimeout: 65_000, requestTimeout: 0, headersTimeout: 60_000 },
    (request, response) => {
      void handle(router, identity, log, request, response, undefined);
    },
  );
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A hijacked connection: what came behind the headers belongs to the stream.
    if (head.length > 0) socket.unshift(head);
    // A client that goes ends its stream, and nothing else.
    socket.on('error', () => socket.destroy());
    void handle(router, identity, log, request, responseOn(socket, request), socket);
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable)
      socket.end(
        'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request',
      );
  });
  return server;
}

/** Until a connection is taken over it can still be answered in the usual way, with an error say. */
function responseOn(socket: Duplex, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.assignSocket(socket as Socket);
  response.shouldKeepAlive = false;
  response.on('finish', () => socket.end());
  return response;
}

async function handle(
  router: Router,
  identity: ServerIdentity,
  log: Logger,
  request: IncomingMessage,
  response: ServerResponse,
  upgraded: Duplex | undefined,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort(new EngineError('cancelled', 'the client went away')));
  const reply = new Reply(request, response, upgraded);
  try {
    setCommonHeaders(response, identity);
    const { version, path, query } = splitTarget(request);
    const match = router.match(request.method ?? 'GET', path);
    if (!match) throw new EngineError('notFound', 'page not found');
    const body = (): ReturnType<ApiRequest['body']> => readBody(request);
    await match.route.handler(decoded(request, match.params, query, version, gone.signal, body), reply);
  } catch (error) {
    const { status, message, unexpected } = errorReply(error);
    if (unexpected) log.error({ error, method: request.method, url: request.url }, 'a request failed unexpectedly');
    reply.fail(status, message);
  }
}

function decoded(
  request: IncomingMessage,
  params: Readonly<Record<string, string>>,
  query: URLSearchParams,
  version: ApiVersion,
  signal: AbortSignal,
  body: ApiRequest['body'],
): ApiRequest {
  return {
    method: request.method ?? 'GET',
    params,
    query,
    version,
    signal,
    headers: request.headers,
    stream: request,
    body,
  };
}

async function readBody(request: IncomingMessage): ReturnType<ApiRequest['body']> {
  let content: Buffer;
  try {
    content = await collect(request as AsyncIterable<Uint8Array>, bodyLimitBytes, 'the request body');
  } catch (error) {
    if (kindOf(error) !== 'resourceExhausted') throw error;
    throw new EngineError('invalidArgument', messageOf(error), { cause: error });
  }
  if (content.length === 0) return {};
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  if (type !== 'application/json') {
    throw new EngineError('invalidArgument', `unsupported Content-Type header (${type}): must be 'application/json'`);
  }
  try {
    return parseJsonObject(content, 'invalid JSON');
  } catch (error) {
    throw new EngineError('invalidArgument', jsonProblem(content), { cause: error });
  }
}

function jsonProblem(content: Buffer): string {
  try {
    JSON.parse(content.toString('utf8'));
    return 'invalid JSON: expected an object';
  } catch (error) {
    const text = error instanceof Error ? error.message : '';
    if (/end of JSON input/.test(text)) return 'invalid JSON: unexpected EOF';
    return /after JSON/.test(text) ? 'unexpected content after JSON' : `invalid JSON: ${text}`;
  }
}

/** Versions are checked here, once, for every route. */
function splitTarget(request: IncomingMessage): { version: ApiVersion; path: string; query: URLSearchParams } {
  const url = new URL(request.url ?? '/', 'http://engine');
  const match = /^\/v(\d+)\.(\d+)(\/.*)$/.exec(url.pathname);
  if (!match) return { version: maximumVersion, path: url.pathname, query: url.searchParams };
  const version = { major: Number(match[1]), minor: Number(match[2]) };
  const older =
    version.major < minimumVersion.major ||
    (version.major === minimumVersion.major && version.minor < minimumVersion.minor);
  const newer =
    version.major > maximumVersion.major ||
    (version.major === maximumVersion.major && version.minor > maximumVersion.minor);
  if (older) {
    throw new EngineError(
      'invalidArgument',
      `client version ${formatVersion(version)} is too old. Minimum supported API version is ${formatVersion(minimumVersion)}, please upgrade your client to a newer version`,
    );
  }
  if (newer) {
    throw new EngineError(
      'invalidArgument',
      `client version ${formatVersion(version)} is too new. Maximum supported API version is ${formatVersion(maximumVersion)}`,
    );
  }
  return { version, path: match[3] ?? '/', query: url.searchParams };
}

function setCommonHeaders(response: ServerResponse, identity: ServerIdentity): void {
  response.setHeader('Api-Version', formatVersion(maximumVersion));
  response.setHeader('Docker-Experimental', String(identity.experimental));
  response.setHeader('Ostype', 'linux');
  response.setHeader('Server', `Slipway/${identity.version} (linux)`);
}

class Reply implements ApiReply {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #upgraded: Duplex | undefined;
  #hijacked = false;

  constructor(request: IncomingMessage, response: ServerResponse, upgraded: Duplex | undefined) {
    this.#request = request;
    this.#response = response;
    this.#upgraded = upgraded;
  }

  json(status: number, value: unknown): void {
    const content = Buffer.from(`${JSON.stringify(value)}\n`);
    this.#response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': content.length });
    this.#response.end(content);
  }

  empty(status: number): void {
    this.#response.writeHead(status, status === 304 || status === 204 ? {} : { 'Content-Length': 0 });
    this.#response.end();
  }

  stream(contentType = 'application/json'): LineStream {
    const response = this.#response;
    response.writeHead(200, { 'Content-Type': contentType });
    response.flushHeaders();
    return {
      write: async (value) => {
        if (response.destroyed) return;
        if (!response.write(`${JSON.stringify(value)}\r\n`)) await drained(response);
      },
      end: () => response.end(),
    };
  }

  raw(status: number, headers: Readonly<Record<string, string>>): ServerResponse {
    this.#response.writeHead(status, headers);
    this.#response.flushHeaders();
    return this.#response;
  }

  hijack(contentType: string): Hijacked {
    this.#hijacked = true;
    const socket = this.#upgraded ?? this.#request.socket;
    const head = this.#upgraded
      ? `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n`
      : `HTTP/1.1 200 OK\r\nContent-Type: ${streamTypes.raw}\r\n`;
    const common = ['Api-Version', 'Docker-Experimental', 'Ostype', 'Server'].map(
      (name) => `${name}: ${String(this.#response.getHeader(name))}\r\n`,
    );
    this.#response.detachSocket(socket as Socket);
    const input = this.#upgraded ? socket : this.#inputWithoutUpgrade();
    socket.write(`${head}${common.join('')}\r\n`);
    return { input, output: socket };
  }

  /** Without an upgrade the input is the request's body where there is one, else the bare bytes behind the headers. */
  #inputWithoutUpgrade(): Readable {
    const { headers, socket } = this.#request;
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0) return this.#request;
    // The HTTP parser would take the bytes for another request.
    socket.removeAllListeners('data');
    socket.removeAllListeners('end');
    return socket;
  }

  /** Answers with an error, or cuts the connection when an answer has begun. */
  fail(status: number, message: string): void {
    if (this.#hijacked) {
      // The bytes are the stream's: all that can be told is that it is over.
      (this.#upgraded ?? this.#request.socket).destroy();
      return;
    }
    if (this.#response.headersSent) {
      this.#response.destroy();
      return;
    }
    if (status === 304) this.empty(304);
    else this.json(status, { message });
  }
}

/** Settles when a response takes more, or has ended. */
export function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}
