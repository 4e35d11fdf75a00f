import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { systemClock, type Clock } from '../base/clock.ts';
import { EngineError, isErrorCode, kindOf, messageOf } from '../base/errors.ts';
import { silentLogger, type Logger } from '../base/log.ts';
import { LocalContentStore } from '../content/local-store.ts';
import { Database } from '../db/database.ts';
import { createRegistryHandler } from '../registry/http/handler.ts';
import { Registry } from '../registry/registry.ts';
import { registryMetadataMigrations, SqliteRegistryMetadata } from '../registry/sqlite-metadata.ts';
import type { RegistryMetadata } from '../registry/metadata.ts';
import { handleRepository } from './repositories.ts';
import { sendDocument, sendSearch } from './search.ts';

/** How a Hub is started. */
export interface HubOptions {
  /** Holds `hub.db` and `content/`; made if it is not there. */
  readonly dataRoot: string;
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly log?: Logger;
  readonly clock?: Clock;
}

/** A Hub that listens. Disposing ends connections, and returns when all that was promised is on the disk. */
export interface Hub extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
}

const idleConnectionMs = 600_000;
const keepAliveMs = 65_000;
const expiryIntervalMs = 3_600_000;
const idleUploadMs = 24 * 3_600_000;

/**
 * Starts a registry with Docker Hub's search beside it: `/v2/` (OCI distribution-spec), `/v1/search`, `/v1/_ping` and
 * `/api/repositories/<name>`. Official images are stored below `library/`.
 *
 * @throws {EngineError} failedPrecondition when the address is taken or malformed.
 */
export async function createHub(options: HubOptions): Promise<Hub> {
  const log = options.log ?? silentLogger;
  const clock = options.clock ?? systemClock;
  const listen = parseListen(options.listen);
  await using resources = new AsyncDisposableStack();
  const content = await LocalContentStore.open(path.join(options.dataRoot, 'content'));
  // Bytes whose upload is not known any more: a day past the last moment at which one could be continued.
  await content.removeIdleIngests(new Date(clock.now().getTime() - 2 * idleUploadMs));
  const database = resources.use(
    await Database.open(path.join(options.dataRoot, 'hub.db'), registryMetadataMigrations),
  );
  const metadata = new SqliteRegistryMetadata(database, clock);
  const registry = new Registry({ content, metadata, clock });
  const server = createServer(registry, metadata, log);
  await startListening(server, listen, options.listen);
  resources.defer(() => stop(server));
  resources.defer(startExpiry(registry, clock, log));
  const { address, port, family } = server.address() as AddressInfo;
  const owned = resources.move();
  return {
    address: family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Runs a Hub until `signal` says stop. */
export async function serveHub(options: HubOptions & { readonly signal: AbortSignal }): Promise<void> {
  await using hub = await createHub(options);
  options.log?.info({ address: hub.address, dataRoot: options.dataRoot }, 'hub listens');
  const { promise, resolve } = Promise.withResolvers<void>();
  options.signal.addEventListener('abort', () => resolve(), { once: true });
  if (options.signal.aborted) resolve();
  await promise;
}

function createServer(registry: Registry, metadata: RegistryMetadata, log: Logger): http.Server {
  const handleRegistry = createRegistryHandler({
    registry,
    log,
    // Everybody may do everything until there are accounts; the history says from where.
    authorize: async (request) => ({ name: `anonymous@${request.socket.remoteAddress ?? 'unknown'}` }),
  });
  // Large blobs take longer than any limit on whole requests; silence on the connection is limited instead.
  const server = http.createServer({ requestTimeout: 0, keepAliveTimeout: keepAliveMs }, (request, response) => {
    const url = request.url ?? '';
    if (url === '/v2' || url.startsWith('/v2/')) void handleRegistry(request, response);
    else void handleOther(metadata, log, request, response);
  });
  server.timeout = idleConnectionMs;
  return server;
}

async function handleOther(
  metadata: RegistryMetadata,
  log: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const [place = '', query = ''] = (request.url ?? '').split('?', 2);
    const repository = /^\/api\/repositories\/(.+)$/.exec(place)?.[1];
    if (repository !== undefined) await handleRepository(metadata, repository, request, response);
    else if (place === '/v1/search') await sendSearch(metadata, new URLSearchParams(query), response);
    else if (place === '/v1/_ping') sendPing(response);
    else throw new EngineError('notFound', 'no such page');
  } catch (error) {
    const status = statusOf(error);
    if (status === 500) log.error({ err: error, url: request.url }, 'hub request failed');
    if (response.headersSent) response.destroy();
    else sendDocument(response, status, { message: status === 500 ? 'internal error' : messageOf(error) });
  }
}

function sendPing(response: ServerResponse): void {
  response.setHeader('x-docker-registry-version', '0.6.0');
  // `true` would make docker send Basic credentials to every request.
  response.setHeader('x-docker-registry-standalone', 'false');
  sendDocument(response, 200, true);
}

function statusOf(error: unknown): number {
  switch (kindOf(error)) {
    case 'invalidArgument':
      return 400;
    case 'permissionDenied':
      return 403;
    case 'notFound':
      return 404;
    case 'notImplemented':
      return 405;
    case 'resourceExhausted':
      return 413;
    default:
      return 500;
  }
}

function parseListen(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535)
    throw new EngineError('failedPrecondition', `invalid address to listen on: ${JSON.stringify(text)}`);
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}

async function startListening(
  server: http.Server,
  listen: { host: string; port: number },
  text: string,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).once('listening', resolve);
  server.listen(listen);
  try {
    await promise;
  } catch (error) {
    const reason = isErrorCode(error, 'EADDRINUSE') ? 'address already in use' : messageOf(error);
    throw new EngineError('failedPrecondition', `hub cannot listen on ${text}: ${reason}`, { cause: error });
  } finally {
    server.removeListener('error', reject);
  }
}

async function stop(server: http.Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

/** Gives up uploads that nobody continued for a day, now and every hour; returns what ends this. */
function startExpiry(registry: Registry, clock: Clock, log: Logger): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  const expire = (): void => {
    running = registry.expireUploads(new Date(clock.now().getTime() - idleUploadMs)).then(
      (count) => count > 0 && log.info({ count }, 'idle uploads given up'),
      (error: unknown) => log.error({ err: error }, 'idle uploads could not be given up'),
    ) as Promise<void>;
  };
  expire();
  const timer = setInterval(expire, expiryIntervalMs);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
