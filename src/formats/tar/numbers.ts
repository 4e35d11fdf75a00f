import { EngineError } from '../../base/errors.ts';

/** What an error is about: a text, or something that makes it when it is needed, which it hardly ever is. */
export interface Subject {
  toString(): string;
}

/**
 * Reads a numeric field of a tar header: octal digits with blanks or NULs around, or base-256 when its first bit is set.
 *
 * @throws {EngineError} invalidArgument when it is neither, or beyond what a double counts exactly.
 */
export function readNumber(header: Buffer, start: number, length: number, subject: Subject): number {
  const first = header[start] ?? 0;
  return (first & 0x80) === 0 ? readOctal(header, start, length, subject) : readBinary(header, start, length, subject);
}

function readOctal(header: Buffer, start: number, length: number, subject: Subject): number {
  let position = start;
  let end = start + length;
  while (position < end && isBlank(header[position])) position++;
  while (end > position && isBlank(header[end - 1])) end--;
  let value = 0;
  for (; position < end; position++) {
    const byte = header[position] ?? 0;
    // Some writers end the digits with a NUL and leave older bytes behind it.
    if (byte === 0) break;
    if (byte < 0x30 || byte > 0x37)
      throw new EngineError('invalidArgument', `tar: a field of ${subject.toString()} is not an octal number`);
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0;
}

function readBinary(header: Buffer, start: number, length: number, subject: Subject): number {
  const negative = ((header[start] ?? 0) & 0x40) !== 0;
  let value = 0;
  for (let index = 0; index < length; index++) {
    let byte = header[start + index] ?? 0;
    if (negative) byte ^= 0xff;
    if (index === 0) byte &= 0x7f;
    value = value * 256 + byte;
  }
  if (value >= Number.MAX_SAFE_INTEGER)
    throw new EngineError('invalidArgument', `tar: a field of ${subject.toString()} is too large`);
  return negative ? -value - 1 : value;
}

/** Writes octal digits and a NUL into a field; returns whether the number fits. */
export function writeOctal(header: Buffer, start: number, length: number, value: number): boolean {
  if (value < 0 || value >= 8 ** (length - 1)) return false;
  header.write(value.toString(8).padStart(length - 1, '0'), start, 'latin1');
  return true;
}

/** The sum that a header's checksum field holds, with that field as blanks; `signed` is how some old writers did it. */
export function headerSum(header: Buffer, signed = false): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < 148; index++) sum += header[index] ?? 0;
  for (let index = 156; index < 512; index++) sum += header[index] ?? 0;
  if (!signed) return sum;
  for (let index = 0; index < 512; index++) {
    if ((index < 148 || index >= 156) && (header[index] ?? 0) > 127) sum -= 256;
  }
  return sum;
}

/**
 * Reads a decimal number with a fraction, as PAX times are, into whole seconds (rounded down) and nanoseconds.
 *
 * @throws {EngineError} invalidArgument
 */
export function parseTime(text: string, subject: Subject): { readonly seconds: number; readonly nanoseconds: number } {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (!match) throw new EngineError('invalidArgument', `tar: a field of ${subject.toString()} is not a time`);
  const whole = Number(match[2]);
  const fraction = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds: whole, nanoseconds: fraction };
  return fraction === 0
    ? { seconds: whole === 0 ? 0 : -whole, nanoseconds: 0 }
    : { seconds: -whole - 1, nanoseconds: 1_000_000_000 - fraction };
}

/** @throws {EngineError} invalidArgument when the text is not a whole number of at most 2^53. */
export function parseDecimal(text: string, subject: Subject): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw new EngineError('invalidArgument', `tar: a field of ${subject.toString()} is not a number`);
  return value;
}
