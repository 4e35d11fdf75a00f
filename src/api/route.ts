import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { EngineError } from '../base/errors.ts';
import { isJsonObject, type JsonObject } from '../formats/oci/descriptor.ts';

/** A request, decoded as far as every route needs it. */
export interface ApiRequest {
  readonly method: string;
  /** The parts of the path that the route's pattern names. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The API version the client speaks. */
  readonly version: ApiVersion;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  readonly headers: IncomingMessage['headers'];
  /** The body as it comes. */
  readonly stream: IncomingMessage;
  /** Reads the body as a JSON object. @throws {EngineError} invalidArgument in docker's words */
  body(): Promise<JsonObject>;
}

/** How to answer. A handler calls one of these once, or throws. */
export interface ApiReply {
  json(status: number, value: unknown): void;
  empty(status: number): void;
  /** Starts a body of one JSON document a line; the headers go out at once. */
  stream(contentType?: string): LineStream;
  /** Starts a body of bytes; the headers go out at once. */
  raw(status: number, headers: Readonly<Record<string, string>>): ServerResponse;
  /** Takes the connection over: 101 when the client asked for an upgrade, else 200. */
  hijack(contentType: string): Hijacked;
}

/** A connection that was taken over. Ending `output` ends the connection. */
export interface Hijacked {
  readonly input: Readable;
  readonly output: Duplex;
}

/** Writes JSON documents, one a line, waiting for slow readers. */
export interface LineStream {
  write(value: unknown): Promise<void>;
  end(): void;
}

/** One operation of the API. */
export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** `/containers/{id}/json`; `{name...}` takes slashes too. */
  readonly path: string;
  readonly handler: (request: ApiRequest, reply: ApiReply) => Promise<void>;
}

/** A version of the Engine API. */
export interface ApiVersion {
  readonly major: number;
  readonly minor: number;
}

export const minimumVersion: ApiVersion = { major: 1, minor: 24 };
export const maximumVersion: ApiVersion = { major: 1, minor: 51 };

/** Whether a client's version is at least `1.minor`. */
export function atLeast(version: ApiVersion, minor: number): boolean {
  return version.major > 1 || version.minor >= minor;
}

/** Returns `1.51`. */
export function formatVersion({ major, minor }: ApiVersion): string {
  return `${major}.${minor}`;
}

/** Docker's truth: everything but empty, `0`, `no`, `false` and `none`. */
export function queryFlag(query: URLSearchParams, name: string): boolean {
  const value = (query.get(name) ?? '').trim().toLowerCase();
  return !['', '0', 'no', 'false', 'none'].includes(value);
}

/** Reads a whole number from the query. @throws {EngineError} in docker's words */
export function queryInteger(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
  throw new EngineError('internal', `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** The filters of a list: values by name. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Reads the `filters` of a query in both of docker's forms, `{"name":["value"]}` and `{"name":{"value":true}}`.
 *
 * @throws {EngineError} invalidArgument in docker's words when they are malformed or `allowed` lacks a name.
 */
export function queryFilters(query: URLSearchParams, allowed: readonly string[]): Filters {
  const text = query.get('filters');
  if (text === null || text === '') return new Map();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new EngineError('invalidArgument', 'invalid filter', { cause: error });
  }
  if (!isJsonObject(value)) throw new EngineError('invalidArgument', 'invalid filter');
  const filters = new Map<string, readonly string[]>();
  for (const [name, wanted] of Object.entries(value)) {
    if (!allowed.includes(name)) throw new EngineError('invalidArgument', `invalid filter '${name}'`);
    const values = Array.isArray(wanted)
      ? wanted
      : isJsonObject(wanted)
        ? Object.keys(wanted).filter((key) => wanted[key] === true)
        : undefined;
    if (values === undefined || !values.every((item) => typeof item === 'string'))
      throw new EngineError('invalidArgument', 'invalid filter');
    filters.set(name, values);
  }
  return filters;
}
