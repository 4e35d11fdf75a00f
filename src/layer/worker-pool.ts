import { Worker } from 'node:worker_threads';
import { EngineError } from '../base/errors.ts';
import { workerUrl } from '../base/worker-url.ts';
import { LayerDigestError } from './layer-digest-error.ts';
import type { LayerTask, SentError, TaskMessage, TaskResults, WorkerMessage } from './worker-tasks.ts';

const idleMs = 20_000;

/** What {@link LayerWorkers.run} takes. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

interface Job {
  readonly message: TaskMessage;
  readonly options: RunOptions;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A few threads that do the byte work of layers, one task each at a time, in the order given. Started when needed; an idle
 * one does not keep the process alive and ends after a while.
 */
export class LayerWorkers implements AsyncDisposable {
  readonly #size: number;
  readonly #queue: Job[] = [];
  readonly #idle: IdleWorker[] = [];
  readonly #all = new Set<Worker>();
  #closed = false;

  constructor(size: number) {
    this.#size = size;
  }

  /** Runs a task. An aborted one stops within a few milliseconds of work and rejects as `cancelled`. */
  run<T extends LayerTask>(task: T, options: RunOptions = {}): Promise<TaskResults[T['kind']]> {
    if (this.#closed) return Promise.reject(new EngineError('unavailable', 'the layer store is closed'));
    return new Promise<TaskResults[T['kind']]>((resolve, reject) => {
      const message = { task, cancel: new SharedArrayBuffer(4) };
      this.#queue.push({ message, options, resolve, reject });
      this.#dispatch();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const { timer } of this.#idle) clearTimeout(timer);
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#takeIdle() ?? this.#start();
      const job = worker && this.#queue.shift();
      if (!worker || !job) return;
      this.#runOn(worker, job);
    }
  }

  #takeIdle(): Worker | undefined {
    const idle = this.#idle.pop();
    if (idle) clearTimeout(idle.timer);
    return idle?.worker;
  }

  #start(): Worker | undefined {
    if (this.#all.size >= this.#size) return undefined;
    const worker = new Worker(workerUrl('layer-worker', import.meta.url), {
      name: 'layers',
      resourceLimits: { maxYoungGenerationSizeMb: 16 },
    });
    this.#all.add(worker);
    worker.once('exit', () => this.#all.delete(worker));
    return worker;
  }

  #runOn(worker: Worker, job: Job): void {
    const { signal, onProgress } = job.options;
    const flag = new Int32Array(job.message.cancel);
    const abort = (): void => void Atomics.store(flag, 0, 1);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    const settle = (): void => {
      signal?.removeEventListener('abort', abort);
      worker.removeAllListeners('message');
      worker.removeAllListeners('error');
      worker.removeAllListeners('exit');
      worker.once('exit', () => this.#all.delete(worker));
    };
    worker.on('message', (message: WorkerMessage) => {
      if (message.type === 'progress') {
        onProgress?.(message.bytes);
        return;
      }
      settle();
      this.#makeIdle(worker);
      if (message.type === 'done') job.resolve(message.result as never);
      else job.reject(receivedError(message.error));
      this.#dispatch();
    });
    const died = (error?: unknown): void => {
      settle();
      this.#all.delete(worker);
      job.reject(new EngineError('internal', `a layer worker ended during ${job.message.task.kind}`, { cause: error }));
      this.#dispatch();
    };
    worker.once('error', died);
    worker.once('exit', () => died());
    worker.ref();
    worker.postMessage(job.message);
  }

  #makeIdle(worker: Worker): void {
    worker.unref();
    const timer = setTimeout(() => {
      this.#idle.splice(
        this.#idle.findIndex((entry) => entry.worker === worker),
        1,
      );
      this.#all.delete(worker);
      void worker.terminate();
    }, idleMs);
    timer.unref();
    this.#idle.push({ worker, timer });
  }
}

interface IdleWorker {
  readonly worker: Worker;
  readonly timer: NodeJS.Timeout;
}

function receivedError(error: SentError): Error {
  if (error.mismatch) return new LayerDigestError(error.mismatch.expected, error.mismatch.actual);
  return new EngineError(error.kind, error.message, { cause: error.stack });
}
