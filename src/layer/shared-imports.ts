import { EngineError } from '../base/errors.ts';
import type { ImportOptions } from './layer-store.ts';

interface Shared<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  readonly listeners: Set<(bytes: number) => void>;
  users: number;
}

/** Shares one import among all who want the same layer: it is cancelled when the last of them has lost interest. */
export class SharedImports<T> {
  readonly #running = new Map<string, Shared<T>>();

  async run(
    key: string,
    options: ImportOptions,
    start: (options: { readonly signal: AbortSignal; readonly onProgress: (bytes: number) => void }) => Promise<T>,
  ): Promise<T> {
    const { signal, onProgress } = options;
    if (signal?.aborted) throw cancelled(key);
    const shared = this.#running.get(key) ?? this.#start(key, start);
    shared.users++;
    if (onProgress) shared.listeners.add(onProgress);
    const stopped = Promise.withResolvers<never>();
    const onAbort = (): void => stopped.reject(cancelled(key));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([shared.result, stopped.promise]);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      if (onProgress) shared.listeners.delete(onProgress);
      shared.users--;
      if (shared.users === 0) {
        // A later caller starts anew instead of joining what is being cancelled.
        if (this.#running.get(key) === shared) this.#running.delete(key);
        shared.controller.abort();
      }
    }
  }

  #start(
    key: string,
    start: (options: { readonly signal: AbortSignal; readonly onProgress: (bytes: number) => void }) => Promise<T>,
  ): Shared<T> {
    const controller = new AbortController();
    const listeners = new Set<(bytes: number) => void>();
    const onProgress = (bytes: number): void => {
      for (const listener of listeners) listener(bytes);
    };
    const result = start({ signal: controller.signal, onProgress });
    // Whoever waits sees the failure; when all have left it is of no interest.
    result.catch(() => undefined);
    const shared: Shared<T> = { result, controller, listeners, users: 0 };
    this.#running.set(key, shared);
    return shared;
  }
}

function cancelled(key: string): EngineError {
  return new EngineError('cancelled', `import of layer ${key} was cancelled`);
}
