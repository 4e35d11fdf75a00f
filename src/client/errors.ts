import { EngineError, type ErrorKind } from '../base/errors.ts';

/** An engine's refusal: the HTTP status and the engine's own words. */
export class EngineResponseError extends EngineError {
  readonly status: number;

  constructor(status: number, text: string) {
    super(kindOfStatus(status), `Error response from daemon: ${text}`);
    this.name = 'EngineResponseError';
    this.status = status;
  }
}

/** No engine answers at the address. */
export class ConnectionError extends EngineError {
  constructor(address: string, options?: { cause?: unknown }) {
    super('unavailable', `Cannot connect to the Docker daemon at ${address}. Is the docker daemon running?`, options);
    this.name = 'ConnectionError';
  }
}

function kindOfStatus(status: number): ErrorKind {
  switch (status) {
    case 304:
      return 'notModified';
    case 400:
      return 'invalidArgument';
    case 401:
      return 'unauthenticated';
    case 403:
      return 'permissionDenied';
    case 404:
      return 'notFound';
    case 409:
      return 'conflict';
    case 501:
      return 'notImplemented';
    case 503:
      return 'unavailable';
    default:
      return 'internal';
  }
}
