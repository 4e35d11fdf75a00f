import { EngineError, errorCode, messageOf } from '../base/errors.ts';

/** No answer came: the registry was not reached, or the connection broke. */
export class ConnectionError extends EngineError {
  /** `unreachable`: nothing was sent. `broken`: it may have been. `untrusted`: TLS failed for good. `plain`: no TLS spoken there. */
  readonly reason: 'unreachable' | 'broken' | 'untrusted' | 'plain' | 'stalled';

  constructor(reason: ConnectionError['reason'], message: string, options?: { cause?: unknown }) {
    super(reason === 'stalled' ? 'deadlineExceeded' : 'unavailable', message, options);
    this.name = 'ConnectionError';
    this.reason = reason;
  }
}

/** Returns an address without user, password and query, which may hold secrets. */
export function maskUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** Puts a failed exchange into docker's words: `Get "https://…": dial tcp …: connect: connection refused`. */
export function connectionError(method: string, url: URL, error: unknown): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const { reason, text } = describe(url, error);
  const verb = method.slice(0, 1) + method.slice(1).toLowerCase();
  return new ConnectionError(reason, `${verb} "${maskUrl(url)}": ${text}`, { cause: error });
}

function describe(url: URL, error: unknown): { reason: ConnectionError['reason']; text: string } {
  const code = errorCode(error) ?? '';
  const dial = `dial tcp ${addressOf(url, error)}`;
  switch (code) {
    case 'ECONNREFUSED':
      return { reason: 'unreachable', text: `${dial}: connect: connection refused` };
    case 'ENOTFOUND':
      return { reason: 'unreachable', text: `dial tcp: lookup ${url.hostname}: no such host` };
    case 'EAI_AGAIN':
      return { reason: 'unreachable', text: `dial tcp: lookup ${url.hostname}: Temporary failure in name resolution` };
    case 'EHOSTUNREACH':
      return { reason: 'unreachable', text: `${dial}: connect: no route to host` };
    case 'ENETUNREACH':
      return { reason: 'unreachable', text: `${dial}: connect: network is unreachable` };
    case 'ETIMEDOUT':
      return { reason: 'unreachable', text: `${dial}: i/o timeout` };
    case 'ECONNRESET':
    case 'EPIPE':
      return { reason: 'broken', text: 'connection reset by peer' };
    default:
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_WRONG_VERSION') || code.startsWith('ERR_SSL_PACKET_LENGTH')) {
    return { reason: 'plain', text: 'http: server gave HTTP response to HTTPS client' };
  }
  if (code.startsWith('ERR_SSL_')) return { reason: 'untrusted', text: `remote error: tls: ${messageOf(error)}` };
  const untrusted = certificateProblem(code, url);
  if (untrusted !== undefined) {
    return { reason: 'untrusted', text: `tls: failed to verify certificate: x509: ${untrusted}` };
  }
  if (code.startsWith('HPE_')) {
    return { reason: 'broken', text: 'net/http: HTTP/1.x transport connection broken: malformed HTTP response' };
  }
  return { reason: 'broken', text: messageOf(error) };
}

function certificateProblem(code: string, url: URL): string | undefined {
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return 'certificate has expired or is not yet valid';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `certificate is not valid for ${url.hostname}`;
  return /^(UNABLE_TO|CERT_|DEPTH_ZERO|SELF_SIGNED|INVALID_CA)/.test(code)
    ? 'certificate signed by unknown authority'
    : undefined;
}

function addressOf(url: URL, error: unknown): string {
  const failed: unknown = error instanceof AggregateError ? error.errors.at(-1) : error;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (typeof failed === 'object' && failed !== null && 'address' in failed && typeof failed.address === 'string') {
    return failed.address.includes(':') ? `[${failed.address}]:${port}` : `${failed.address}:${port}`;
  }
  return `${url.hostname}:${port}`;
}
