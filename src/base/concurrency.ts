/** A promise together with the functions that settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** Returns an unsettled {@link Deferred}. An unobserved rejection does not end the process. */
export function deferred<T>(): Deferred<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  promise.catch(ignoreRejection);
  return { promise, resolve, reject };
}

function ignoreRejection(): void {
  // The owner of a deferred awaits `promise` where the failure matters.
}

/** Runs at most `limit` tasks at once, in the order they were given. */
export class Limiter {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

/** Runs tasks one after the other. A failed task does not stop the next. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task, task);
    this.#tail = result.catch(ignoreRejection);
    return result;
  }

  /** Resolves when everything queued so far has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}

/** One {@link SerialQueue} per key, kept only while it has work. */
export class KeyedQueue {
  readonly #queues = new Map<string, { queue: SerialQueue; users: number }>();

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    let entry = this.#queues.get(key);
    if (!entry) {
      entry = { queue: new SerialQueue(), users: 0 };
      this.#queues.set(key, entry);
    }
    entry.users++;
    try {
      return await entry.queue.run(task);
    } finally {
      entry.users--;
      if (entry.users === 0) this.#queues.delete(key);
    }
  }
}

/** Shares one running task among all callers with the same key; forgets it when it ends. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  run(key: string, task: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running) return running;
    const started = task().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }
}
