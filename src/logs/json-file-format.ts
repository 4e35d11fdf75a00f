import { isAscii } from 'node:buffer';

/** Which stream a line came from. */
export type LogStream = 'stdout' | 'stderr';

/** Longest piece of a line in one entry, in bytes; longer lines continue in further entries, as Docker cuts them. */
export const MAX_ENTRY_BYTES = 16384;

/** Longest encoding of `bytes` of output: every byte a line of its own. */
export function encodedCapacity(bytes: number): number {
  return bytes * 80 + 4096;
}

/** What {@link encodeEntries} did. */
export interface EncodedEntries {
  /** Bytes written into the target. */
  readonly length: number;
  /** Where the unfinished last line begins in the source; its end when there is none. */
  readonly tailFrom: number;
}

const NEWLINE = 0x0a;
// oxlint-disable-next-line no-control-regex -- what JSON must escape, apart from the newline that ends each line, and DEL, which is left alone.
const escaped = /[\0-\x09\x0b-\x1f"\\]/;

/**
 * Encodes output in Docker's json-file format, one entry a line: `{"log":"…\n","stream":"stdout","time":"…"}`. Bytes that are no
 * UTF-8 become U+FFFD. A last line without its newline is left for the next call unless `final`; it is always shorter than
 * {@link MAX_ENTRY_BYTES}.
 */
export function encodeEntries(
  source: Buffer,
  stream: LogStream,
  time: string,
  final: boolean,
  target: Buffer,
): EncodedEntries {
  const lastNewline = source.lastIndexOf(NEWLINE);
  const suffix = `,"stream":"${stream}","time":"${time}"}\n`;
  let length = 0;
  let from = 0;
  if (lastNewline >= 0) {
    const quick = quickEncode(source.subarray(0, lastNewline), suffix);
    if (quick === undefined) {
      while (from <= lastNewline) {
        const end = source.indexOf(NEWLINE, from) + 1;
        length += encodeLine(source, from, end, suffix, target, length);
        from = end;
      }
    } else {
      length += target.write(quick, length, 'latin1');
      from = lastNewline + 1;
    }
  }
  while (source.length - from >= MAX_ENTRY_BYTES) {
    const end = pieceEnd(source, from);
    length += writeEntry(source, from, end, suffix, target, length);
    from = end;
  }
  if (final && from < source.length) {
    length += writeEntry(source, from, source.length, suffix, target, length);
    from = source.length;
  }
  return { length, tailFrom: from };
}

/** Encodes all lines with one split and join, where nothing needs escaping or cutting. */
function quickEncode(lines: Buffer, suffix: string): string | undefined {
  if (!isAscii(lines)) return undefined;
  const text = lines.toString('latin1');
  if (escaped.test(text)) return undefined;
  const parts = text.split('\n');
  for (const part of parts) if (part.length >= MAX_ENTRY_BYTES) return undefined;
  return `{"log":"${parts.join(`\\n"${suffix}{"log":"`)}\\n"${suffix}`;
}

function encodeLine(source: Buffer, from: number, end: number, suffix: string, target: Buffer, at: number): number {
  let length = 0;
  let start = from;
  while (end - start > MAX_ENTRY_BYTES) {
    const cut = pieceEnd(source, start);
    length += writeEntry(source, start, cut, suffix, target, at + length);
    start = cut;
  }
  return length + writeEntry(source, start, end, suffix, target, at + length);
}

function writeEntry(source: Buffer, from: number, end: number, suffix: string, target: Buffer, at: number): number {
  return target.write(`{"log":${JSON.stringify(source.toString('utf8', from, end))}${suffix}`, at, 'utf8');
}

/** Returns where a piece of at most {@link MAX_ENTRY_BYTES} ends without cutting a UTF-8 sequence. */
function pieceEnd(source: Buffer, from: number): number {
  const limit = from + MAX_ENTRY_BYTES;
  let end = limit;
  while (limit - end < 3 && end < source.length && ((source[end] ?? 0) & 0xc0) === 0x80) end--;
  return ((source[end] ?? 0) & 0xc0) === 0x80 ? limit : end;
}

/** Returns the time in RFC 3339 with nine digits, from milliseconds since 1970 with a fraction. */
export function formatLogTime(milliseconds: number): string {
  const whole = Math.floor(milliseconds);
  const nanoseconds = Math.floor((milliseconds - whole) * 1e6);
  return `${new Date(whole).toISOString().slice(0, -1)}${String(nanoseconds).padStart(6, '0')}Z`;
}
