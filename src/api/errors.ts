import { EngineError, kindOf, messageOf, type ErrorKind } from '../base/errors.ts';

const statuses: Readonly<Record<ErrorKind, number>> = {
  notFound: 404,
  alreadyExists: 409,
  invalidArgument: 400,
  conflict: 409,
  failedPrecondition: 400,
  unauthenticated: 401,
  permissionDenied: 403,
  resourceExhausted: 500,
  unavailable: 500,
  cancelled: 499,
  deadlineExceeded: 500,
  notImplemented: 501,
  notModified: 304,
  dataLoss: 500,
  internal: 500,
};

/** What a failure looks like from outside. */
export interface ErrorReply {
  readonly status: number;
  readonly message: string;
  /** Whether nobody foresaw it: to be logged. */
  readonly unexpected: boolean;
}

/** Translates any thrown value to the Engine API's status and message: the only place where kinds become statuses. */
export function errorReply(error: unknown): ErrorReply {
  return { status: statuses[kindOf(error)], message: messageOf(error), unexpected: !(error instanceof EngineError) };
}
