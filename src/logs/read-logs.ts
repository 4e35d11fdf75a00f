import { watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { isErrorCode } from '../base/errors.ts';
import type { LogStream } from './json-file-format.ts';
import { parseEntry, parseLogTime } from './log-entry.ts';
import type { LogEntry } from './log-entry.ts';

/** Which part of a log is read. */
export interface ReadLogsOptions {
  /** Of Docker's json-file format; FILE.1, FILE.2 and so on, its older parts, are read before it. */
  readonly file: string;
  readonly streams: readonly LogStream[];
  /** Only that many of the last entries, of all streams together; counted before the other conditions, as Docker does. */
  readonly tail?: number;
  /** Only entries at or after this time, in nanoseconds since 1970. */
  readonly since?: bigint;
  /** Only entries at or before this time. */
  readonly until?: bigint;
  /** Goes on with what is written, until this has settled and all is read. */
  readonly follow?: Promise<unknown>;
  readonly signal?: AbortSignal;
}

const BLOCK_BYTES = 64 * 1024;
const MAX_OLDER_FILES = 1000;
const NEWLINE = 0x0a;
const POLL_MS = 250;

/**
 * Yields the entries of a log in order. Reads no more than it needs: `tail` starts from the end, following sleeps until
 * something is written. A log that does not exist is empty. Lines that are no entries are left out.
 */
export async function* readLogs(options: ReadLogsOptions): AsyncGenerator<LogEntry> {
  const { streams, since, until, signal } = options;
  for await (const lines of readLines(options)) {
    for (const line of lines) {
      if (signal?.aborted === true) return;
      const entry = parseEntry(line);
      if (!entry) continue;
      if (since !== undefined || until !== undefined) {
        const time = parseLogTime(entry.time);
        if (since !== undefined && time < since) continue;
        // Entries are written in the order of their times.
        if (until !== undefined && time > until) return;
      }
      if (streams.includes(entry.stream)) yield entry;
    }
  }
}

/** Yields lines by the block, because each yield costs as much as parsing an entry. */
async function* readLines(options: ReadLogsOptions): AsyncGenerator<readonly Buffer[]> {
  const change = options.follow && new ChangeNotice(options.file, options.follow, options.signal);
  const files = await openFiles(options.file);
  try {
    const start = options.tail === undefined ? { index: 0, position: 0 } : await findTail(files, options.tail);
    let lines: LineReader | undefined;
    for (const [index, file] of files.entries()) {
      if (index < start.index) continue;
      lines = new LineReader(file, index === start.index ? start.position : 0);
      yield* lines.read();
    }
    if (change) yield* followFrom(options, files, lines, change);
  } finally {
    change?.close();
    for (const file of files) await file.close();
  }
}

/** Reads on as the last file grows and is rotated. */
async function* followFrom(
  options: ReadLogsOptions,
  files: FileHandle[],
  last: LineReader | undefined,
  change: ChangeNotice,
): AsyncGenerator<readonly Buffer[]> {
  let lines = last;
  for (;;) {
    // Asked before reading: what is written before the end is found by the reads after it.
    const over = change.isOver;
    change.reset();
    if (lines) yield* lines.read();
    const next = await openNext(options.file, files.at(-1));
    if (next) {
      // The rest of the old file, written between the read above and its renaming.
      if (lines) yield* lines.read();
      files.push(next);
      lines = new LineReader(next, 0);
      continue;
    }
    if (over || options.signal?.aborted === true) return;
    await change.wait();
  }
}

/** Reads whole lines from a position on, as far as they are written. */
class LineReader {
  readonly #file: FileHandle;
  #position: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.#position = position;
  }

  async *read(): AsyncGenerator<readonly Buffer[]> {
    for (;;) {
      const block = Buffer.allocUnsafe(BLOCK_BYTES);
      const { bytesRead } = await this.#file.read(block, 0, BLOCK_BYTES, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      const bytes =
        this.#rest.length === 0
          ? block.subarray(0, bytesRead)
          : Buffer.concat([this.#rest, block.subarray(0, bytesRead)]);
      const lines: Buffer[] = [];
      let from = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
        lines.push(bytes.subarray(from, end));
        from = end + 1;
      }
      this.#rest = bytes.subarray(from);
      if (lines.length > 0) yield lines;
    }
  }
}

/** Opens the log's files, oldest first. A rotation meanwhile shows as the same file twice. */
async function openFiles(file: string): Promise<FileHandle[]> {
  const files: FileHandle[] = [];
  const inodes = new Set<number>();
  for (let index = 0; index < MAX_OLDER_FILES; index++) {
    const handle = await openIfPresent(index === 0 ? file : `${file}.${index}`);
    if (!handle) {
      if (index === 0) continue;
      break;
    }
    const { ino } = await handle.stat();
    if (inodes.has(ino)) await handle.close();
    else files.unshift(handle);
    inodes.add(ino);
  }
  return files;
}

/**
 * Opens the file that came after the one being read, once there is one. Files move while their names are looked at, so what was
 * opened must be what was seen.
 */
async function openNext(file: string, current: FileHandle | undefined): Promise<FileHandle | undefined> {
  const inode = current && (await current.stat()).ino;
  for (;;) {
    const newest = await stat(file).catch(ignoreMissing);
    if (!newest || newest.ino === inode) return undefined;
    let next = { name: file, ino: newest.ino };
    for (let index = 1; index < MAX_OLDER_FILES; index++) {
      const name = `${file}.${index}`;
      const older = await stat(name).catch(ignoreMissing);
      // Ours is this one, or was dropped: what was found before comes after it.
      if (!older || older.ino === inode) break;
      next = { name, ino: older.ino };
    }
    const handle = await openIfPresent(next.name);
    if (handle && (await handle.stat()).ino === next.ino) return handle;
    await handle?.close();
  }
}

/** Finds where the last `count` lines begin, reading backwards. */
async function findTail(
  files: readonly FileHandle[],
  count: number,
): Promise<{ readonly index: number; readonly position: number }> {
  let missing = count;
  for (let index = files.length - 1; index >= 0; index--) {
    const file = files[index] as FileHandle;
    let end = (await file.stat()).size;
    if (missing <= 0) return { index, position: end };
    // The newline that ends the last line does not begin a line.
    let isLast = true;
    while (end > 0) {
      const start = Math.max(0, end - BLOCK_BYTES);
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(end - start), 0, end - start, start);
      for (let at = bytesRead - 1; at >= 0; at--) {
        if (buffer[at] !== NEWLINE) continue;
        if (!isLast && --missing === 0) return { index, position: start + at + 1 };
        isLast = false;
      }
      end = start;
    }
    if (!isLast) missing--;
    if (missing === 0) return { index, position: 0 };
  }
  return { index: 0, position: 0 };
}

/** Wakes a follower when something in the log's directory has changed. */
class ChangeNotice {
  readonly #close: () => void;
  #changed = false;
  #over = false;
  #wake: (() => void) | undefined;

  constructor(file: string, over: Promise<unknown>, signal: AbortSignal | undefined) {
    const notice = (): void => this.#notify();
    const end = (): void => {
      this.#over = true;
      this.#notify();
    };
    over.then(end, end);
    signal?.addEventListener('abort', end, { once: true });
    const stop = watchDirectory(path.dirname(file), path.basename(file), notice);
    this.#close = () => {
      stop();
      signal?.removeEventListener('abort', end);
    };
  }

  get isOver(): boolean {
    return this.#over;
  }

  reset(): void {
    this.#changed = this.#over;
  }

  async wait(): Promise<void> {
    if (this.#changed) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  close(): void {
    this.#close();
  }

  #notify(): void {
    this.#changed = true;
    this.#wake?.();
    this.#wake = undefined;
  }
}

function watchDirectory(directory: string, name: string, notice: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const poll = (): void => {
    timer ??= setInterval(notice, POLL_MS).unref();
  };
  try {
    const watcher = watch(directory, { persistent: false }, (_event, changed) => {
      if (changed === null || changed.startsWith(name)) notice();
    });
    // No watches left on this machine, or the directory went: looking now and then does as well.
    watcher.on('error', poll);
    return () => {
      watcher.close();
      clearInterval(timer);
    };
  } catch (error) {
    if (!isErrorCode(error, 'ENOSPC', 'EMFILE', 'ENOENT')) throw error;
    poll();
    return () => clearInterval(timer);
  }
}

async function openIfPresent(file: string): Promise<FileHandle | undefined> {
  return await open(file, 'r').catch(ignoreMissing);
}

function ignoreMissing(error: unknown): undefined {
  if (isErrorCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
  throw error;
}
