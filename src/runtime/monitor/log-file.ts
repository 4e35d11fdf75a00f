import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, renameSync, statSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { isErrorCode } from '../../base/errors.ts';
import { writeAt } from '../../host/pipe.ts';

/** Where and how a process's output is kept. */
export interface LogOptions {
  readonly file: string;
  readonly maxSizeBytes?: number;
  readonly maxFiles?: number;
}

/** The log of one process, written at absolute positions. */
export class LogFile {
  readonly #options: LogOptions;
  readonly #onError: (error: unknown) => void;
  #fd: number;

  constructor(options: LogOptions, onError: (error: unknown) => void) {
    this.#options = options;
    this.#onError = onError;
    this.#fd = openLog(options.file);
  }

  get size(): number {
    return fstatSync(this.#fd).size;
  }

  /**
   * Writes at `position` and returns where the log ends then. When the disk does not take it the entries are dropped, the error
   * is reported, and the log ends where it did: a full disk must not stop the container.
   */
  write(source: bigint, length: number, position: number): number {
    try {
      writeAt(this.#fd, source, length, position);
      return position + length;
    } catch (error) {
      this.#onError(error);
      ftruncateSync(this.#fd, position);
      return position;
    }
  }

  needsRotation(end: number): boolean {
    return this.#options.maxSizeBytes !== undefined && end >= this.#options.maxSizeBytes;
  }

  /**
   * Moves FILE to FILE.1, FILE.1 to FILE.2 and so on, drops the oldest, and starts an empty file. Repeating it after an
   * interruption at any point completes it: only names below the first gap move, and an empty FILE is already the new one.
   */
  rotate(): void {
    const { file, maxFiles = 1 } = this.#options;
    closeSync(this.#fd);
    if (existsSync(file) && statSync(file).size > 0) {
      const doomed = `${file}.dropped`;
      if (maxFiles <= 1) renameSync(file, doomed);
      else {
        const gap = firstGap(file, maxFiles);
        if (gap >= maxFiles) renameSync(`${file}.${maxFiles - 1}`, doomed);
        for (let index = Math.min(gap, maxFiles - 1) - 1; index >= 1; index--) {
          renameSync(`${file}.${index}`, `${file}.${index + 1}`);
        }
        renameSync(file, `${file}.1`);
      }
      // Freeing a large file takes long: never on the loop.
      unlink(doomed).catch((error: unknown) => {
        if (!isErrorCode(error, 'ENOENT')) this.#onError(error);
      });
    }
    this.#fd = openLog(file);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function firstGap(file: string, maxFiles: number): number {
  let index = 1;
  while (index < maxFiles && existsSync(`${file}.${index}`)) index++;
  return index;
}

function openLog(file: string): number {
  // Not for appending: positions are absolute.
  closeSync(openSync(file, 'a', 0o640));
  return openSync(file, 'r+');
}
