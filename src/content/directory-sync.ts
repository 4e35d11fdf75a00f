import { syncDirectory } from '../base/files.ts';

/** Flushes directories; those who ask for one directory while it is being flushed share the next flush. */
export class DirectorySync {
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  /** Settles when everything renamed into `directory` before the call survives a power loss. */
  async sync(directory: string): Promise<void> {
    const running = this.#running.get(directory);
    if (!running) return this.#start(directory);
    // A flush that runs may have begun before the caller's rename.
    let next = this.#next.get(directory);
    if (!next) {
      const start = (): Promise<void> => {
        this.#next.delete(directory);
        return this.#start(directory);
      };
      next = running.then(start, start);
      this.#next.set(directory, next);
    }
    return next;
  }

  #start(directory: string): Promise<void> {
    const flush = syncDirectory(directory).finally(() => {
      if (this.#running.get(directory) === flush) this.#running.delete(directory);
    });
    this.#running.set(directory, flush);
    return flush;
  }
}
