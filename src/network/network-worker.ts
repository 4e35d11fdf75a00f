import { Worker } from 'node:worker_threads';
import { EngineError } from '../base/errors.ts';
import { deferred, type Deferred } from '../base/concurrency.ts';
import { workerUrl } from '../base/worker-url.ts';
import type { WorkerAnswer, WorkerCommand, WorkerSetup } from './worker-messages.ts';

/** A failed command of the network worker; `code` is the errno's name where there was one. */
export class NetworkCommandError extends EngineError {
  readonly code: string;

  constructor(message: string, code: string) {
    super('internal', message);
    this.name = 'NetworkCommandError';
    this.code = code;
  }
}

/** The network worker as seen from outside: commands are carried out one after the other. */
export class NetworkWorker implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #open = new Map<number, Deferred<number>>();
  #sequence = 0;

  constructor(setup: WorkerSetup) {
    this.#worker = new Worker(workerUrl('./worker', import.meta.url), { workerData: setup });
    this.#worker.unref();
    this.#worker.on('message', (answer: WorkerAnswer) => this.#settle(answer));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new EngineError('unavailable', 'the network worker has ended')));
  }

  /** Carries out a command. @throws {NetworkCommandError} */
  run(command: WorkerCommand): Promise<number> {
    const sequence = this.#sequence++;
    const answer = deferred<number>();
    this.#open.set(sequence, answer);
    this.#worker.postMessage({ sequence, command });
    return answer.promise;
  }

  #settle(answer: WorkerAnswer): void {
    const open = this.#open.get(answer.sequence);
    this.#open.delete(answer.sequence);
    if ('value' in answer) open?.resolve(answer.value);
    else open?.reject(new NetworkCommandError(answer.error.message, answer.error.code));
  }

  #fail(error: unknown): void {
    for (const open of this.#open.values()) open.reject(error);
    this.#open.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run({ type: 'close' });
    await this.#worker.terminate();
  }
}
