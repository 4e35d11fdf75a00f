import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Actor } from '../metadata.ts';
import { problem } from '../protocol-error.ts';
import type { Registry } from '../registry.ts';

/** One request to a repository, routed. */
export interface Exchange {
  readonly registry: Registry;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly repository: string;
  /** The last part of the path: a tag, digest or upload id; decoded. */
  readonly target: string;
  readonly actor: Actor;
}

/** Reads `n` and `last` of a list request. @throws {ProtocolError} PAGINATION_NUMBER_INVALID */
export function pageOf(query: URLSearchParams, defaultLimit: number): { after: string | undefined; limit: number } {
  const text = query.get('n');
  const after = query.get('last') ?? undefined;
  if (text === null) return { after, limit: defaultLimit };
  if (!/^\d{1,9}$/.test(text))
    throw problem('PAGINATION_NUMBER_INVALID', 'invalid number of results requested', { n: text });
  return { after, limit: Math.min(Number(text), listLimit) };
}

/** No page is longer than this. */
export const listLimit = 10_000;

/** Returns the `Link` header to the page behind `last`. */
export function nextLink(path: string, query: Readonly<Record<string, string>>): string {
  return `<${path}?${new URLSearchParams(query).toString()}>; rel="next"`;
}
