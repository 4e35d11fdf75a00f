import { EngineError, type ErrorKind } from '../base/errors.ts';
import { isJsonObject } from '../formats/oci/descriptor.ts';

/** One entry of a registry's error document (OCI distribution-spec, Error Codes). */
export interface UpstreamError {
  readonly code: string;
  readonly message: string;
  readonly detail?: unknown;
}

/** A registry answered, and the answer was no. */
export class RegistryError extends EngineError {
  readonly status: number;
  readonly errors: readonly UpstreamError[];
  /** Host and port of who answered. */
  readonly host: string;
  /** When to try again, where the registry said so. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    answer: {
      readonly status: number;
      readonly host: string;
      readonly errors: readonly UpstreamError[];
      readonly kind?: ErrorKind;
      readonly retryAfterMs?: number | undefined;
    },
    options?: { cause?: unknown },
  ) {
    super(answer.kind ?? kindOfStatus(answer.status), message, options);
    this.name = 'RegistryError';
    this.status = answer.status;
    this.errors = answer.errors;
    this.host = answer.host;
    this.retryAfterMs = answer.retryAfterMs;
  }

  /** Whether the registry gave this code. */
  has(code: string): boolean {
    return this.errors.some((error) => error.code === code);
  }
}

function kindOfStatus(status: number): ErrorKind {
  switch (status) {
    case 400:
    case 416:
      return 'invalidArgument';
    case 401:
      return 'unauthenticated';
    case 403:
      return 'permissionDenied';
    case 404:
      return 'notFound';
    case 405:
    case 501:
      return 'notImplemented';
    case 409:
    case 412:
      return 'conflict';
    case 413:
    case 429:
      return 'resourceExhausted';
    default:
      return 'unavailable';
  }
}

/** Reads the error document in an answer's body; a body that is none gives an empty list. */
export function parseUpstreamErrors(body: string): readonly UpstreamError[] {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    // Proxies answer in HTML: the status has to do.
    return [];
  }
  if (!isJsonObject(document)) return [];
  if (Array.isArray(document['errors'])) {
    return document['errors'].filter(isJsonObject).map((error) => ({
      code: text(error['code']) || 'UNKNOWN',
      message: text(error['message']),
      ...(error['detail'] === undefined || error['detail'] === null ? {} : { detail: error['detail'] }),
    }));
  }
  const details = text(document['details']) || text(document['message']) || text(document['error_description']);
  return details === '' ? [] : [{ code: 'UNKNOWN', message: details }];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 4096) : '';
}

/** Writes upstream errors as docker does: `manifest unknown: manifest unknown`. */
export function formatUpstreamErrors(errors: readonly UpstreamError[]): string {
  return errors
    .map(({ code, message }) => {
      const name = code.toLowerCase().replaceAll('_', ' ');
      return message === '' ? name : `${name}: ${message}`;
    })
    .join('\n');
}
