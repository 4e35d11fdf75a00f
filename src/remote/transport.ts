import http from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import type { ByteSource } from '../base/streams.ts';
import { ConnectionError, connectionError, maskUrl } from './connection-error.ts';
import { isLoopback } from './hosts.ts';

/** What is sent with a request. */
export interface RequestBody {
  readonly sizeBytes: number;
  /** Called once per attempt. */
  open(): Promise<ByteSource>;
}

/** One request. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  /** How long to wait for the answer's head once all is sent; the stall time by default. */
  readonly answerTimeoutMs?: number | undefined;
  readonly verifyTls: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** An answer whose body is still to be read: iterate it to its end or call `discard`. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Fails with {@link ConnectionError} when it is cut or stalls. */
  readonly body: ByteSource;
  /** Gives the connection back. */
  discard(): void;
}

const discardLimitBytes = 64 << 10;

/** Sends requests over kept-alive connections. It knows nothing of registries, retries or credentials. */
export class Transport implements Disposable {
  readonly #stallTimeoutMs: number;
  readonly #agents = new Map<string, http.Agent>();

  constructor(options: { readonly stallTimeoutMs: number }) {
    this.#stallTimeoutMs = options.stallTimeoutMs;
  }

  /**
   * @throws {ConnectionError} when no answer came, or no byte moved for the stall time while one was due.
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    for (;;) {
      const exchange = this.#start(request);
      try {
        const response = await exchange.answer;
        return this.#response(request, response);
      } catch (error) {
        request.signal?.throwIfAborted();
        // A kept-alive connection that the server had closed meanwhile: nothing was lost, a fresh one follows.
        const stale = exchange.outgoing.reusedSocket && exchange.bodyBytes() === 0 && isReset(error);
        if (!stale) throw connectionError(request.method, request.url, error);
      }
    }
  }

  #start(request: HttpRequest): {
    readonly outgoing: http.ClientRequest;
    readonly answer: Promise<http.IncomingMessage>;
    bodyBytes(): number;
  } {
    const { url, body } = request;
    const secure = url.protocol === 'https:';
    const outgoing = (secure ? https : http).request(url, {
      method: request.method,
      headers: {
        ...request.headers,
        ...(body ? { 'content-length': String(body.sizeBytes) } : {}),
        ...(!body && request.method !== 'GET' && request.method !== 'HEAD' ? { 'content-length': '0' } : {}),
      },
      agent: this.#agent(url, request.verifyTls),
      ...(request.signal ? { signal: request.signal } : {}),
    });
    let bodyBytes = 0;
    const watch = new StallWatch(() => outgoing.destroy(this.#stalled(request)));
    const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve).once('error', reject);
    });
    const answered = { yet: false };
    const settle = (): void => {
      answered.yet = true;
      watch.stop();
    };
    answer.then(settle, settle);
    const wait = (): void => watch.start(request.answerTimeoutMs ?? this.#stallTimeoutMs);
    if (!body) {
      outgoing.end();
      wait();
    } else {
      sendBody(outgoing, body, answered, watch, this.#stallTimeoutMs, (count) => (bodyBytes += count)).then(
        () => answered.yet || wait(),
        (error: unknown) => outgoing.destroy(error instanceof Error ? error : new Error(String(error))),
      );
    }
    return { outgoing, answer, bodyBytes: () => bodyBytes };
  }

  #stalled(request: HttpRequest): ConnectionError {
    const seconds = this.#stallTimeoutMs / 1000;
    return new ConnectionError(
      'stalled',
      `${request.method.slice(0, 1)}${request.method.slice(1).toLowerCase()} "${maskUrl(request.url)}": no data for ${seconds} seconds`,
    );
  }

  #response(request: HttpRequest, incoming: http.IncomingMessage): HttpResponse {
    const readBody = this.#readBody.bind(this);
    return {
      status: incoming.statusCode ?? 0,
      headers: incoming.headers,
      body: { [Symbol.asyncIterator]: () => readBody(request, incoming) },
      discard(): void {
        const announced = incoming.headers['content-length'];
        incoming.on('error', ignore);
        if (announced !== undefined && Number(announced) <= discardLimitBytes) incoming.resume();
        else if (request.method === 'HEAD') incoming.resume();
        else incoming.destroy();
      },
    };
  }

  async *#readBody(request: HttpRequest, incoming: http.IncomingMessage): AsyncIterator<Uint8Array> {
    const watch = new StallWatch(() => incoming.destroy(this.#stalled(request)));
    const chunks: AsyncIterator<Uint8Array> = incoming[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    try {
      for (;;) {
        // Only while a byte is due: a slow reader is no stalled registry.
        watch.start(this.#stallTimeoutMs);
        const next = await chunks.next();
        watch.stop();
        if (next.done) return;
        yield next.value;
      }
    } catch (error) {
      request.signal?.throwIfAborted();
      throw connectionError(request.method, request.url, error);
    } finally {
      watch.stop();
      await chunks.return?.();
    }
  }

  #agent(url: URL, verifyTls: boolean): http.Agent {
    const loopback = isLoopback(url.hostname);
    const key = `${url.protocol} ${verifyTls} ${loopback}`;
    let agent = this.#agents.get(key);
    if (!agent) {
      // A proxy is for the world outside; `NO_PROXY` is honoured by Node.
      const options = { keepAlive: true, scheduling: 'lifo', ...(loopback ? {} : { proxyEnv: process.env }) } as const;
      agent = url.protocol === 'https:' ? secureAgent(options, verifyTls) : new http.Agent(options);
      this.#agents.set(key, agent);
    }
    return agent;
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }
}

/** Trusts what Node brings and what the machine's administrator has installed. */
function secureAgent(options: http.AgentOptions, verifyTls: boolean): https.Agent {
  if (!verifyTls) return new https.Agent({ ...options, rejectUnauthorized: false });
  const ca = [...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')])];
  return new https.Agent({ ...options, ca });
}

async function sendBody(
  outgoing: http.ClientRequest,
  body: RequestBody,
  answered: { readonly yet: boolean },
  watch: StallWatch,
  stallTimeoutMs: number,
  onSent: (count: number) => void,
): Promise<void> {
  for await (const chunk of await body.open()) {
    // An answer before the end of the body is final, mostly a refusal.
    if (answered.yet || outgoing.destroyed) break;
    onSent(chunk.length);
    if (outgoing.write(chunk)) continue;
    watch.start(stallTimeoutMs);
    await drained(outgoing);
    if (!answered.yet) watch.stop();
  }
  outgoing.end();
}

/** Waits until more may be written, or writing has become pointless. */
async function drained(outgoing: http.ClientRequest): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const events = ['drain', 'close', 'error', 'response'] as const;
  const done = (): void => resolve();
  for (const event of events) outgoing.once(event, done);
  if (outgoing.destroyed) resolve();
  await promise;
  for (const event of events) outgoing.removeListener(event, done);
}

/** A timer that costs little to start and stop for every chunk. */
class StallWatch {
  readonly #onStall: () => void;
  #timer: NodeJS.Timeout | undefined;
  #timeoutMs = 0;
  #armed = false;

  constructor(onStall: () => void) {
    this.#onStall = onStall;
  }

  start(timeoutMs: number): void {
    this.#armed = true;
    if (this.#timer && this.#timeoutMs === timeoutMs) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timeoutMs = timeoutMs;
    this.#timer = setTimeout(() => {
      if (this.#armed) this.#onStall();
    }, timeoutMs);
    this.#timer.unref();
  }

  stop(): void {
    this.#armed = false;
  }
}

function isReset(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function ignore(): void {
  // The body is not wanted, so neither is its failure.
}
