import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as a scripted registry saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What a scripted registry answers; returning nothing means that the handler dealt with `response` itself. */
export type ScriptedAnswer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
};

/** A server for tests that answers as told and remembers what it was asked. */
export interface ScriptedRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly seen: readonly SeenRequest[];
}

/** Starts a scripted server on a free loopback port. `GET /v2/` is answered with 200 unless the script says otherwise. */
export async function startScriptedRegistry(
  script: (request: SeenRequest, response: http.ServerResponse) => ScriptedAnswer | undefined,
): Promise<ScriptedRegistry> {
  const seen: SeenRequest[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const record = { method, path: url, headers, body: Buffer.concat(chunks) };
      if (url !== '/v2/') seen.push(record);
      const answer = script(record, response);
      if (answer) response.writeHead(answer.status, answer.headers).end(answer.body);
      else if (url === '/v2/') response.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    seen,
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
