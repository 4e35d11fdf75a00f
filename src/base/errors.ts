/**
 * The category of an {@link EngineError}. The edge maps (`api/errors.ts`, `registry/http/errors.ts`) are the only places
 * where a kind becomes a status code.
 */
export type ErrorKind =
  | 'notFound'
  | 'alreadyExists'
  | 'invalidArgument'
  | 'conflict'
  | 'failedPrecondition'
  | 'unauthenticated'
  | 'permissionDenied'
  | 'resourceExhausted'
  | 'unavailable'
  | 'cancelled'
  | 'deadlineExceeded'
  | 'notImplemented'
  | 'notModified'
  | 'dataLoss'
  | 'internal';

/**
 * Every failure that the product foresees. The message names the subject, what happened and what was expected; it never
 * holds a secret.
 */
export class EngineError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EngineError';
    this.kind = kind;
  }
}

/** Returns the kind of any thrown value: an abort is `cancelled`, what nobody foresaw is `internal`. */
export function kindOf(error: unknown): ErrorKind {
  if (error instanceof EngineError) return error.kind;
  if (error instanceof Error && (error.name === 'AbortError' || errorCode(error) === 'ABORT_ERR')) return 'cancelled';
  return 'internal';
}

/** Returns the text of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Returns the system error code (`ENOENT`, …) of a thrown value, if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether a thrown value is the system error `code`. */
export function isErrorCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = errorCode(error);
  return code !== undefined && codes.includes(code);
}

/** Marks the impossible branch of an exhaustive `switch`. */
export function unreachable(value: never): never {
  throw new EngineError('internal', `unexpected value ${JSON.stringify(value)}`);
}
