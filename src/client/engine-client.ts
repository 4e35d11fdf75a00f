import type { Socket } from 'node:net';
import { EngineError } from '../base/errors.ts';
import { isJsonObject, type JsonObject } from '../base/json.ts';
import { collect } from '../base/streams.ts';
import type { Endpoint } from './endpoint.ts';
import { EngineResponseError } from './errors.ts';
import { exchange, type HttpResponse } from './http.ts';

/** The newest API version this client speaks. */
export const newestApiVersion = '1.51';

const bodyLimitBytes = 256 << 20;

/** Values of a query; what is `undefined` is left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What goes along with a request. */
export interface RequestOptions {
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** A connection taken over after an upgrade: bytes both ways, each side closed on its own. */
export interface HijackedStream extends Disposable {
  /** Whether output comes in frames of stdout and stderr. */
  readonly multiplexed: boolean;
  readonly output: AsyncIterable<Buffer>;
  /** Where input goes; `end()` is seen by the process as the end of its input, output goes on. */
  readonly input: Socket;
}

/** What an engine says of itself when pinged. */
export interface PingResult {
  readonly apiVersion: string;
  readonly osType: string;
}

/**
 * A client of one engine. Stateless but for the API version, which is settled with the engine at the first request: the
 * lower one of both sides' newest, unless a version is given. Every method throws {@link EngineResponseError} for what the engine refuses
 * and `ConnectionError` when there is no engine.
 *
 * @example
 * const engine = new EngineClient(parseEndpoint('unix:///run/slipway/slipway.sock'));
 * const containers = await engine.getJson('/containers/json', { query: { all: true } });
 */
export class EngineClient {
  readonly endpoint: Endpoint;
  #version: string | undefined;

  constructor(endpoint: Endpoint, options: { readonly apiVersion?: string } = {}) {
    this.endpoint = endpoint;
    this.#version = options.apiVersion;
  }

  /** Asks the engine for its API version and system. */
  async ping(): Promise<PingResult> {
    using response = await exchange(this.endpoint, { method: 'HEAD', target: '/_ping' });
    const { headers } = response;
    return { apiVersion: headers.get('api-version') ?? '1.24', osType: headers.get('ostype') ?? '' };
  }

  /** Returns the version that requests are made in. */
  async apiVersion(): Promise<string> {
    if (this.#version === undefined) {
      const { apiVersion } = await this.ping();
      this.#version = compareVersions(apiVersion, newestApiVersion) < 0 ? apiVersion : newestApiVersion;
    }
    return this.#version;
  }

  /** Returns the answer's body as text. */
  async text(method: string, path: string, options: RequestOptions = {}): Promise<string> {
    using response = await this.open(method, path, options);
    return (await collect(response.body, bodyLimitBytes, `the answer to ${method} ${path}`)).toString();
  }

  /** Returns the answer's JSON; `undefined` for an empty body. */
  async json(method: string, path: string, options: RequestOptions = {}): Promise<unknown> {
    const text = await this.text(method, path, options);
    if (text.trim() === '') return undefined;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new EngineError('unavailable', `${method} ${path}: the answer is not JSON`, { cause: error });
    }
  }

  /** Returns the JSON object that a path is answered with. */
  async object(method: string, path: string, options: RequestOptions = {}): Promise<JsonObject> {
    const value = await this.json(method, path, options);
    return isJsonObject(value) ? value : {};
  }

  /** Returns the list of JSON objects that a path is answered with. */
  async list(path: string, options: RequestOptions = {}): Promise<readonly JsonObject[]> {
    const value = await this.json('GET', path, options);
    return Array.isArray(value) ? value.filter(isJsonObject) : [];
  }

  /** Yields the JSON values of an answer that holds one after the other, as they come. */
  async *stream(method: string, path: string, options: RequestOptions = {}): AsyncGenerator<JsonObject, void, void> {
    using response = await this.open(method, path, options);
    for await (const line of lines(response.body)) {
      const value: unknown = JSON.parse(line, exactNumber);
      if (isJsonObject(value)) yield value;
    }
  }

  /** Takes the connection over for attach and exec. */
  async hijack(path: string, options: RequestOptions = {}): Promise<HijackedStream> {
    const headers = { ...options.headers, Connection: 'Upgrade', Upgrade: 'tcp' };
    const response = await this.#send('POST', path, { ...options, headers });
    if (response.status !== 101) {
      using refused = response;
      throw await refusalOf(refused);
    }
    return {
      multiplexed: response.headers.get('content-type') === 'application/vnd.docker.multiplexed-stream',
      output: response.body,
      input: response.socket,
      [Symbol.dispose]: () => response[Symbol.dispose](),
    };
  }

  /** Sends a request; the caller reads the body or disposes. */
  async open(method: string, path: string, options: RequestOptions = {}): Promise<HttpResponse> {
    const response = await this.#send(method, path, options);
    if (response.status >= 200 && response.status < 400) return response;
    using refused = response;
    throw await refusalOf(refused);
  }

  async #send(method: string, path: string, options: RequestOptions): Promise<HttpResponse> {
    const target = `/v${await this.apiVersion()}${path}${formatQuery(options.query)}`;
    const { headers, body, signal } = options;
    return exchange(this.endpoint, {
      method,
      target,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

/** Compares API versions as numbers. */
export function compareVersions(left: string, right: string): number {
  const parse = (version: string): number[] => version.split('.').map(Number);
  const [leftMajor = 0, leftMinor = 0] = parse(left);
  const [rightMajor = 0, rightMinor = 0] = parse(right);
  return leftMajor - rightMajor || leftMinor - rightMinor;
}

/** Nanoseconds since 1970 do not fit into a number: whole numbers that are too large become `bigint`. */
function exactNumber(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  const isTooLarge = typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined;
  return isTooLarge && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

async function refusalOf(response: HttpResponse): Promise<EngineResponseError> {
  const text = (await collect(response.body, 1 << 20, 'the error')).toString();
  return new EngineResponseError(response.status, messageIn(text) ?? `${response.status}`);
}

function messageIn(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value) && typeof value['message'] === 'string') return value['message'].trim();
  } catch {
    // Something between us and the engine answers in its own way: its words are shown as they are.
  }
  return text.trim() === '' ? undefined : text.trim();
}

function formatQuery(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false || value === '') continue;
    parameters.set(name, value === true ? '1' : String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

async function* lines(source: AsyncIterable<Buffer>): AsyncGenerator<string, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      const line = rest.subarray(0, end).toString().trim();
      rest = rest.subarray(end + 1);
      if (line !== '') yield line;
    }
  }
  const last = rest.toString().trim();
  if (last !== '') yield last;
}
