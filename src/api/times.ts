import { EngineError } from '../base/errors.ts';

const unitsMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a point in time as docker's queries give it, to nanoseconds since the epoch: seconds with a fraction, RFC 3339, a date,
 * or a duration before `now` (`10m`). `undefined` for nothing.
 *
 * @throws {EngineError} invalidArgument
 */
export function parseTime(text: string | null, now: Date): bigint | undefined {
  if (text === null || text === '') return undefined;
  const seconds = /^(-?\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (seconds) return BigInt(seconds[1] ?? '0') * 1_000_000_000n + BigInt((seconds[2] ?? '').padEnd(9, '0'));
  const duration = durationMs(text);
  if (duration !== undefined) return BigInt(Math.round(now.getTime() - duration)) * 1_000_000n;
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new EngineError('invalidArgument', `failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return BigInt(at) * 1_000_000n;
}

/** Reads a duration as Go writes them (`1h30m`, `1.5s`), to milliseconds. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)/g))
    total += Number(number) * (unitsMs[unit ?? ''] ?? 0);
  return total;
}
