import type { LogStream } from './json-file-format.ts';

/** One entry of a log: a line with its newline, or a piece of a long line without. */
export interface LogEntry {
  readonly stream: LogStream;
  /** RFC 3339 with a fraction, UTC. */
  readonly time: string;
  readonly text: string;
}

/** Parses a line of a json-file log; `undefined` when it is none. */
export function parseEntry(line: Buffer): LogEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch {
    // A line cut off by a power loss.
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { log, stream, time } = value as Partial<Record<'log' | 'stream' | 'time', unknown>>;
  if (typeof log !== 'string' || typeof time !== 'string') return undefined;
  return { stream: stream === 'stderr' ? 'stderr' : 'stdout', time, text: log };
}

/** Returns nanoseconds since 1970 of an RFC 3339 time; 0 when it is none. */
export function parseLogTime(time: string): bigint {
  const match = /^(.{19})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(time);
  const milliseconds = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (Number.isNaN(milliseconds)) return 0n;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match?.[2] ?? '').padEnd(9, '0') || '0');
}
