import { Agent, request, type IncomingMessage } from 'node:http';

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

const timeoutMs = 300_000;

/** The same plain client for all subjects: HTTP over a unix socket that is kept open. */
export class ApiClient {
  readonly #socketPath: string;
  readonly #agent: Agent = new Agent({ keepAlive: true, maxSockets: 4 });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Sends a request and reads the whole answer. */
  async send(method: string, path: string, body?: object): Promise<Answer> {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const headers = payload ? { 'Content-Type': 'application/json', 'Content-Length': payload.length } : {};
      const sent = request(
        { socketPath: this.#socketPath, agent: this.#agent, method, path, headers, timeout: timeoutMs },
        (response: IncomingMessage) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.once('error', reject);
          response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
        },
      );
      sent.once('error', reject);
      sent.once('timeout', () => sent.destroy(new Error(`${method} ${path} took more than ${timeoutMs} ms`)));
      sent.end(payload);
    });
  }

  /** As `send`; returns the answer's JSON. @throws {Error} for any other status */
  async expect(method: string, path: string, status: number, body?: object): Promise<unknown> {
    const answer = await this.send(method, path, body);
    const text = answer.body.toString();
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
    return text.startsWith('{') || text.startsWith('[') ? (JSON.parse(text.split('\n')[0] ?? '') as unknown) : text;
  }

  /** Pulls an image. @throws {Error} when the stream of progress ends in an error */
  async pull(image: string, tag: string): Promise<void> {
    const answer = await this.send('POST', `/images/create?fromImage=${encodeURIComponent(image)}&tag=${tag}`);
    const text = answer.body.toString();
    if (answer.status !== 200 || text.includes('"errorDetail"')) {
      throw new Error(`pull of ${image}:${tag}: ${answer.status} ${text.slice(-500)}`);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The id in an answer to a creation. */
export function idOf(answer: unknown): string {
  if (typeof answer === 'object' && answer !== null && 'Id' in answer && typeof answer.Id === 'string')
    return answer.Id;
  throw new Error(`no Id in ${JSON.stringify(answer)}`);
}
