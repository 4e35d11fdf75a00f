import type { IncomingMessage, ServerResponse } from 'node:http';
import { kindOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { isRepositoryName } from '../../formats/oci/reference.ts';
import type { Actor } from '../metadata.ts';
import { problem } from '../protocol-error.ts';
import type { Registry } from '../registry.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import { discoverExtensions, getReferrers, getTagHistory, listCatalog, listTags } from './discovery.ts';
import { errorAnswer, sendErrorAnswer, sendJson } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import { cancelUpload, finishUpload, getUpload, patchUpload, startUpload } from './uploads.ts';

/** What a request wants to do with a repository. */
export type RegistryAction = 'ping' | 'pull' | 'push' | 'delete' | 'catalog';

/** Decides who asks and whether they may; throws a ProtocolError (UNAUTHORIZED, DENIED) when not. */
export type Authorize = (
  request: IncomingMessage,
  response: ServerResponse,
  access: { readonly action: RegistryAction; readonly repository: string },
) => Promise<Actor>;

/** What the handler needs. */
export interface RegistryHandlerOptions {
  readonly registry: Registry;
  readonly authorize: Authorize;
  readonly log: Logger;
}

type Handler = (exchange: Exchange) => Promise<void>;

interface Route {
  readonly pattern: RegExp;
  readonly methods: Readonly<Record<string, readonly [RegistryAction, Handler]>>;
}

// Repository names hold slashes and may hold the words of the protocol: each pattern is anchored at its end, and takes the last.
const routes: readonly Route[] = [
  { pattern: /^\/v2\/(?<target>)(?<name>)$/, methods: { GET: ['ping', ping], HEAD: ['ping', ping] } },
  { pattern: /^\/v2\/_catalog(?<target>)(?<name>)$/, methods: { GET: ['catalog', listCatalog] } },
  { pattern: /^\/v2\/_oci\/ext\/discover(?<target>)(?<name>)$/, methods: { GET: ['ping', discoverExtensions] } },
  { pattern: /^\/v2\/(?<name>.+)\/_oci\/ext\/discover(?<target>)$/, methods: { GET: ['pull', discoverExtensions] } },
  { pattern: /^\/v2\/(?<name>.+)\/_oci\/tag-history\/(?<target>[^/]+)$/, methods: { GET: ['pull', getTagHistory] } },
  { pattern: /^\/v2\/(?<name>.+)\/tags\/list(?<target>)$/, methods: { GET: ['pull', listTags] } },
  { pattern: /^\/v2\/(?<name>.+)\/referrers\/(?<target>[^/]+)$/, methods: { GET: ['pull', getReferrers] } },
  {
    pattern: /^\/v2\/(?<name>.+)\/manifests\/(?<target>[^/]+)$/,
    methods: {
      GET: ['pull', getManifest],
      HEAD: ['pull', getManifest],
      PUT: ['push', putManifest],
      DELETE: ['delete', deleteManifest],
    },
  },
  { pattern: /^\/v2\/(?<name>.+)\/blobs\/uploads\/?(?<target>)$/, methods: { POST: ['push', startUpload] } },
  {
    pattern: /^\/v2\/(?<name>.+)\/blobs\/uploads\/(?<target>[^/]+)$/,
    methods: {
      GET: ['push', getUpload],
      PATCH: ['push', patchUpload],
      PUT: ['push', finishUpload],
      DELETE: ['push', cancelUpload],
    },
  },
  {
    pattern: /^\/v2\/(?<name>.+)\/blobs\/(?<target>[^/]+)$/,
    methods: { GET: ['pull', getBlob], HEAD: ['pull', getBlob], DELETE: ['delete', deleteBlob] },
  },
];

/** Returns a function that answers every request below `/v2/` (OCI distribution-spec 1.1). It never rejects. */
export function createRegistryHandler(
  options: RegistryHandlerOptions,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    try {
      await answer(options, request, response);
    } catch (error) {
      fail(options.log, request, response, error);
    }
  };
}

async function answer(
  options: RegistryHandlerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { path, query } = splitUrl(request.url ?? '');
  for (const { pattern, methods } of routes) {
    const match = pattern.exec(path === '/v2' ? '/v2/' : path);
    if (!match) continue;
    const { name: repository = '', target = '' } = match.groups ?? {};
    if (repository !== '' && !isRepositoryName(repository)) {
      throw problem('NAME_INVALID', 'invalid repository name', { name: repository });
    }
    const entry = Object.hasOwn(methods, request.method ?? '') ? methods[request.method ?? ''] : undefined;
    if (!entry) {
      response.setHeader('allow', Object.keys(methods).join(', '));
      throw problem('UNSUPPORTED', 'the operation is unsupported', { method: request.method });
    }
    const [action, handler] = entry;
    const actor = await options.authorize(request, response, { action, repository });
    await handler({ registry: options.registry, request, response, query, repository, target: decode(target), actor });
    return;
  }
  throw problem('NAME_UNKNOWN', 'no such place', { path }, { status: 404 });
}

function splitUrl(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const mark = url.indexOf('?');
  if (mark < 0) return { path: url, query: new URLSearchParams() };
  return { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // It stays as it is, and fails the check that every tag, digest and upload id passes.
    return text;
  }
}

async function ping(exchange: Exchange): Promise<void> {
  sendJson(exchange.response, 200, {});
}

function fail(log: Logger, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  // Nobody is there to hear of it.
  if (response.destroyed || (request.destroyed && !request.complete)) {
    response.destroy();
    return;
  }
  const refusal = errorAnswer(error);
  if (refusal.status >= 500 && kindOf(error) !== 'cancelled') {
    log.error({ err: error, method: request.method, url: request.url }, 'registry request failed');
  }
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // The rest of a body that was refused is not waited for.
  if (!request.complete) response.setHeader('connection', 'close');
  sendErrorAnswer(response, refusal);
}
