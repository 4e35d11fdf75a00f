import { EngineError, type ErrorKind } from '../base/errors.ts';

/** The codes of the registry protocol (OCI distribution-spec, Error Codes, and those of Docker's registry). */
export type ProtocolCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'TAG_INVALID'
  | 'SIZE_INVALID'
  | 'RANGE_INVALID'
  | 'PAGINATION_NUMBER_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'PRECONDITION_FAILED'
  | 'UNKNOWN';

const kinds: Readonly<Record<ProtocolCode, ErrorKind>> = {
  BLOB_UNKNOWN: 'notFound',
  BLOB_UPLOAD_INVALID: 'invalidArgument',
  BLOB_UPLOAD_UNKNOWN: 'notFound',
  DIGEST_INVALID: 'invalidArgument',
  MANIFEST_BLOB_UNKNOWN: 'notFound',
  MANIFEST_INVALID: 'invalidArgument',
  MANIFEST_UNKNOWN: 'notFound',
  NAME_INVALID: 'invalidArgument',
  NAME_UNKNOWN: 'notFound',
  TAG_INVALID: 'invalidArgument',
  SIZE_INVALID: 'invalidArgument',
  RANGE_INVALID: 'invalidArgument',
  PAGINATION_NUMBER_INVALID: 'invalidArgument',
  UNAUTHORIZED: 'unauthenticated',
  DENIED: 'permissionDenied',
  UNSUPPORTED: 'notImplemented',
  TOOMANYREQUESTS: 'resourceExhausted',
  PRECONDITION_FAILED: 'conflict',
  UNKNOWN: 'internal',
};

/** One entry of an error document. */
export interface ProtocolProblem {
  readonly code: ProtocolCode;
  readonly message: string;
  readonly detail?: unknown;
}

/** A request that the registry refuses, with all its reasons. */
export class ProtocolError extends EngineError {
  readonly problems: readonly [ProtocolProblem, ...ProtocolProblem[]];
  /** Instead of the code's usual status. */
  readonly status: number | undefined;

  constructor(
    problems: ProtocolError['problems'],
    options: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    const [first] = problems;
    super(kinds[first.code], first.message, { cause: options.cause });
    this.name = 'ProtocolError';
    this.problems = problems;
    this.status = options.status;
  }
}

/** Returns a {@link ProtocolError} with one reason. */
export function problem(
  code: ProtocolCode,
  message: string,
  detail?: unknown,
  options: { readonly status?: number; readonly cause?: unknown } = {},
): ProtocolError {
  return new ProtocolError([{ code, message, ...(detail === undefined ? {} : { detail }) }], options);
}
