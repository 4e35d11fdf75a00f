import { EngineError } from '../base/errors.ts';

/** Where an engine listens. `address` is as the user wrote it, for messages. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly address: string; readonly path: string }
  | { readonly kind: 'tcp'; readonly address: string; readonly host: string; readonly port: number };

const defaultPort = 2375;

/**
 * Reads a host as given by `-H`, `SLIPWAY_HOST` or `DOCKER_HOST`: `unix:///path`, `tcp://host[:port]`, `http://host[:port]`.
 *
 * @throws {EngineError} invalidArgument with docker's words.
 */
export function parseEndpoint(address: string): Endpoint {
  const [scheme, rest] = splitOnce(address, '://');
  if (rest === undefined || rest === '') throw unusable(address);
  if (scheme === 'unix') return { kind: 'unix', address, path: rest };
  if (scheme !== 'tcp' && scheme !== 'http') throw unusable(address);
  const authority = rest.split('/', 1)[0] ?? '';
  const match = /^(?<host>\[[^\]]+\]|[^:]*)(?::(?<port>\d+))?$/.exec(authority);
  const port = Number(match?.groups?.['port'] ?? defaultPort);
  if (!match || port > 65535) throw unusable(address);
  const host = (match.groups?.['host'] ?? '').replace(/^\[|\]$/g, '') || '127.0.0.1';
  return { kind: 'tcp', address, host, port };
}

function unusable(address: string): EngineError {
  return new EngineError(
    'invalidArgument',
    `unable to resolve docker endpoint: invalid bind address format: ${address}`,
  );
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
