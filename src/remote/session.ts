import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../base/errors.ts';
import { collect } from '../base/streams.ts';
import { Authorizer } from './authorizer.ts';
import { ConnectionError, connectionError, maskUrl } from './connection-error.ts';
import type { RegistryCredentials } from './credentials.ts';
import { isInsecure, type Endpoint, type HostsConfig } from './hosts.ts';
import { formatUpstreamErrors, parseUpstreamErrors, RegistryError } from './registry-error.ts';
import type { HttpResponse, RequestBody, Transport } from './transport.ts';

/** Limits of patience; tests shorten them. */
export interface Patience {
  /** Without a byte for this long a connection is given up. */
  readonly stallTimeoutMs: number;
  /** Before the first repetition; doubled each time. */
  readonly retryDelayMs: number;
  readonly attempts: number;
}

/** 30 s without a byte; 5 attempts. */
export const defaultPatience: Patience = { stallTimeoutMs: 30_000, retryDelayMs: 250, attempts: 5 };

/** One call to a registry. */
export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the endpoint's base (`v2/…`), or an address that the registry gave. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  readonly scopes: readonly string[];
  /** Statuses that are answers and no errors, besides 2xx. */
  readonly expect?: readonly number[];
  /** 1 where repeating is the caller's affair. */
  readonly attempts?: number;
  readonly answerTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** An answer, and where it came from after redirects. */
export interface RegistryResponse extends HttpResponse {
  readonly url: URL;
}

const userAgent = 'slipway/0.1';
const errorBodyLimitBytes = 64 << 10;
const redirectLimit = 5;
const retryAfterLimitMs = 60_000;

/** Talks to one endpoint: finds out how it is reached, proves who asks, repeats what failed in passing. */
export class RegistrySession {
  readonly endpoint: Endpoint;
  readonly #transport: Transport;
  readonly #patience: Patience;
  readonly #hosts: HostsConfig;
  readonly #authorizer: Authorizer;
  #base: URL | undefined;
  #wasReached = false;

  constructor(options: {
    readonly endpoint: Endpoint;
    readonly transport: Transport;
    readonly patience: Patience;
    readonly hosts: HostsConfig;
    readonly credentials: () => Promise<RegistryCredentials | undefined>;
  }) {
    this.endpoint = options.endpoint;
    this.#transport = options.transport;
    this.#patience = options.patience;
    this.#hosts = options.hosts;
    this.#authorizer = new Authorizer(
      {
        send: (request) =>
          options.transport.send({ ...request, headers: { 'user-agent': userAgent, ...request.headers } }),
        mayBePlain: (host) => isInsecure(host, options.hosts),
        verifyTls: (host) => !isInsecure(host, options.hosts),
        now: () => Date.now(),
      },
      options.credentials,
    );
  }

  /**
   * Sends a request and returns its answer.
   *
   * @throws {RegistryError} for every status that is neither 2xx nor expected; {@link ConnectionError} when none came.
   */
  async send(request: RegistryRequest): Promise<RegistryResponse> {
    const attempts = request.attempts ?? this.#patience.attempts;
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.#sendOnce(request);
        if (isExpected(response.status, request)) return response;
        throw await this.#failure(request, response);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (attempt >= attempts || !this.isTransient(error)) throw error;
        await this.pause(attempt, error, request.signal);
      }
    }
  }

  /** Whether trying again may help. A registry that never answered is not waited for. */
  isTransient(error: unknown): boolean {
    if (error instanceof RegistryError) {
      if (error.retryAfterMs !== undefined && error.retryAfterMs > retryAfterLimitMs) return false;
      return [408, 429, 500, 502, 503, 504].includes(error.status);
    }
    if (!(error instanceof ConnectionError)) return false;
    switch (error.reason) {
      case 'broken':
      case 'stalled':
        return true;
      case 'unreachable':
        return this.#wasReached;
      case 'untrusted':
      case 'plain':
        return false;
    }
  }

  /** Waits before repetition number `attempt`, as long as the registry asked for. */
  async pause(attempt: number, error: unknown, signal: AbortSignal | undefined): Promise<void> {
    const backOff = this.#patience.retryDelayMs * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
    const asked = error instanceof RegistryError ? error.retryAfterMs : undefined;
    await sleep(asked ?? backOff, undefined, signal ? { signal } : {});
  }

  get attempts(): number {
    return this.#patience.attempts;
  }

  async #sendOnce(request: RegistryRequest): Promise<RegistryResponse> {
    const base = await this.#findBase(request.signal);
    const url = typeof request.path === 'string' ? new URL(request.path, base) : request.path;
    const ours = url.origin === base.origin;
    const authorization = ours ? this.#authorizer.header(request.scopes) : undefined;
    const first = await this.#follow(request, url, authorization).catch((error: unknown) => {
      throw this.#firstContact(base, error);
    });
    const challenge = first.headers['www-authenticate'];
    if (first.status !== 401 || challenge === undefined || first.url.origin !== base.origin) return first;
    first.discard();
    await this.#authorizer.answer(base, challenge, request.scopes, request.signal);
    return this.#follow(request, url, this.#authorizer.header(request.scopes));
  }

  /** A registry that was never reached is named by its base, as docker does. */
  #firstContact(base: URL, error: unknown): unknown {
    if (this.#wasReached || !(error instanceof ConnectionError) || error.reason === 'broken') return error;
    return error.reason === 'stalled' ? error : connectionError('GET', new URL('v2/', base), error.cause);
  }

  /** Follows redirects; what proves who asks goes to the registry's own origin only. */
  async #follow(request: RegistryRequest, start: URL, authorization: string | undefined): Promise<RegistryResponse> {
    let url = start;
    for (let hop = 0; ; hop++) {
      const response = await this.#transport.send({
        method: request.method,
        url,
        headers: {
          'user-agent': userAgent,
          'accept-encoding': 'identity',
          ...request.headers,
          ...(authorization !== undefined && url.origin === start.origin ? { authorization } : {}),
        },
        body: request.body,
        verifyTls: !isInsecure(url.host, this.#hosts),
        signal: request.signal,
        answerTimeoutMs: request.answerTimeoutMs,
      });
      this.#wasReached = true;
      const { location } = response.headers;
      const redirects = [301, 302, 303, 307, 308].includes(response.status) && location !== undefined;
      if (!redirects || (request.method !== 'GET' && request.method !== 'HEAD')) return { ...response, url };
      response.discard();
      const next = URL.parse(location, url);
      if (hop >= redirectLimit) throw new EngineError('unavailable', `${maskUrl(start)}: too many redirects`);
      if (!next || !this.#mayFollow(url, next)) {
        throw new EngineError(
          'unavailable',
          `${maskUrl(start)}: redirect refused: ${next ? maskUrl(next) : 'not a URL'}`,
        );
      }
      url = next;
    }
  }

  #mayFollow(from: URL, to: URL): boolean {
    if (to.protocol === 'https:') return true;
    return to.protocol === 'http:' && from.protocol === 'http:' && isInsecure(to.host, this.#hosts);
  }

  /** Finds the address that answers: TLS first, plain HTTP only where the endpoint has such an address. */
  async #findBase(signal: AbortSignal | undefined): Promise<URL> {
    if (this.#base) return this.#base;
    const { bases, verifyTls } = this.endpoint;
    for (const [index, base] of bases.entries()) {
      if (index === bases.length - 1) {
        // Nothing else to try: the request itself will tell.
        return (this.#base = await this.#checked(base, verifyTls, signal, bases.length > 1));
      }
      try {
        return (this.#base = await this.#checked(base, verifyTls, signal, true));
      } catch (error) {
        if (!(error instanceof ConnectionError) || error.reason === 'untrusted') throw error;
      }
    }
    throw new EngineError('internal', `${this.endpoint.host} has no address`);
  }

  async #checked(base: URL, verifyTls: boolean, signal: AbortSignal | undefined, ping: boolean): Promise<URL> {
    if (!ping) return base;
    const url = new URL('v2/', base);
    const response = await this.#transport.send({
      method: 'GET',
      url,
      headers: { 'user-agent': userAgent },
      verifyTls,
      signal,
    });
    response.discard();
    return base;
  }

  async #failure(request: RegistryRequest, response: RegistryResponse): Promise<RegistryError> {
    const { status, url } = response;
    const body = request.method === 'HEAD' ? '' : await this.#errorBody(response);
    if (request.method === 'HEAD') response.discard();
    const errors = parseUpstreamErrors(body);
    const message =
      errors.length > 0
        ? formatUpstreamErrors(errors)
        : `unexpected status from ${request.method} request to ${maskUrl(url)}: ${status}`;
    return new RegistryError(message, {
      status,
      errors,
      host: this.endpoint.host,
      retryAfterMs: retryAfterOf(response),
    });
  }

  async #errorBody(response: RegistryResponse): Promise<string> {
    try {
      return (await collect(response.body, errorBodyLimitBytes, 'error document')).toString();
    } catch {
      // The status says what matters; a cut or oversized explanation does not change it.
      return '';
    }
  }
}

function isExpected(status: number, request: RegistryRequest): boolean {
  return (status >= 200 && status < 300) || (request.expect?.includes(status) ?? false);
}

function retryAfterOf(response: HttpResponse): number | undefined {
  const value = response.headers['retry-after'];
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}
