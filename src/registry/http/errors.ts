import type { ServerResponse } from 'node:http';
import { kindOf, messageOf, type ErrorKind } from '../../base/errors.ts';
import { ProtocolError, type ProtocolCode, type ProtocolProblem } from '../protocol-error.ts';

const statuses: Readonly<Record<ProtocolCode, number>> = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 404,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  TAG_INVALID: 400,
  SIZE_INVALID: 400,
  RANGE_INVALID: 416,
  PAGINATION_NUMBER_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  PRECONDITION_FAILED: 412,
  UNKNOWN: 500,
};

/** A refusal as it goes out. */
export interface ErrorAnswer {
  readonly status: number;
  readonly problems: readonly ProtocolProblem[];
}

/** The one place where the registry's failures become statuses and codes (OCI distribution-spec, Error Codes). */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof ProtocolError) {
    return { status: error.status ?? statuses[error.problems[0].code], problems: error.problems };
  }
  const { status, code } = answerOfKind(kindOf(error));
  // What nobody foresaw may tell of paths and internals: it goes to the log, not to the client.
  return { status, problems: [{ code, message: status === 500 ? 'internal error' : messageOf(error) }] };
}

function answerOfKind(kind: ErrorKind): { readonly status: number; readonly code: ProtocolCode } {
  switch (kind) {
    case 'notFound':
      return { status: 404, code: 'BLOB_UNKNOWN' };
    case 'invalidArgument':
    case 'failedPrecondition':
      return { status: 400, code: 'MANIFEST_INVALID' };
    case 'conflict':
    case 'alreadyExists':
      return { status: 409, code: 'BLOB_UPLOAD_INVALID' };
    case 'unauthenticated':
      return { status: 401, code: 'UNAUTHORIZED' };
    case 'permissionDenied':
      return { status: 403, code: 'DENIED' };
    case 'resourceExhausted':
      return { status: 507, code: 'UNKNOWN' };
    case 'notImplemented':
      return { status: 405, code: 'UNSUPPORTED' };
    case 'unavailable':
    case 'deadlineExceeded':
      return { status: 503, code: 'UNKNOWN' };
    case 'cancelled':
    case 'notModified':
    case 'dataLoss':
    case 'internal':
      return { status: 500, code: 'UNKNOWN' };
  }
}

/** Answers with an error document. */
export function sendErrorAnswer(response: ServerResponse, answer: ErrorAnswer): void {
  sendJson(response, answer.status, { errors: answer.problems });
}

/** Answers with a JSON document; to a HEAD without it. */
export function sendJson(
  response: ServerResponse,
  status: number,
  document: unknown,
  mediaType = 'application/json',
): void {
  const content = Buffer.from(JSON.stringify(document));
  response.writeHead(status, { 'content-type': mediaType, 'content-length': content.length });
  response.end(response.req.method === 'HEAD' ? undefined : content);
}
