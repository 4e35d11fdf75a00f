/** Requests to an engine's socket, as bytes would have it: nothing is retried, converted or hidden. */
import http from 'node:http';
import net from 'node:net';

/** An answer, its body read to the end. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** Parts of a request. */
export interface RequestOptions {
  /** Sent as JSON unless it is text. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Thirty seconds by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Sends one request on a connection of its own. */
export function requestOn(
  socketPath: string,
  method: string,
  path: string,
  options: RequestOptions = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { body } = options;
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const request = http.request(
      {
        socketPath,
        method,
        path,
        agent: false,
        timeout: options.timeoutMs ?? 30_000,
        ...(options.signal ? { signal: options.signal } : {}),
        headers: { ...(text === undefined ? {} : { 'Content-Type': 'application/json' }), ...options.headers },
      },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(pieces).toString('utf8'),
          }),
        );
      },
    );
    request.on('timeout', () => request.destroy(new Error(`${method} ${path}: no answer in time`)));
    request.on('error', reject);
    request.end(text);
  });
}

/** Sends bytes as they are and returns everything that comes back until the other side closes, or the time is over. */
export function exchangeBytes(socketPath: string, bytes: string, timeoutMs: number = 5000): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const socket = net.connect(socketPath, () => socket.write(bytes));
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(pieces).toString('latin1'));
    });
  });
}
