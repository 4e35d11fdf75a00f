import { CommandError } from '../command-error.ts';
import { parseDuration } from '../format/durations.ts';

/**
 * Turns a moment as people write it (`42m`, `2013-01-02T13:23:37Z`, `2013-01-02`, seconds since 1970) into seconds since 1970 with
 * nanoseconds, as the API takes it. A duration counts back from now; a date without a zone is the machine's.
 *
 * @throws {CommandError} naming the flag.
 */
export function parseTimestamp(flag: string, value: string, nowMs: number): string {
  if (value === '') return '';
  try {
    const nanoseconds = BigInt(Math.round(nowMs)) * 1_000_000n - BigInt(parseDuration(value));
    return `${nanoseconds / 1_000_000_000n}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}`;
  } catch {
    // It is no duration.
  }
  if (/^\d+(\.\d{1,9})?$/.test(value)) return value;
  const match =
    /^(?<day>\d{4}-\d{2}-\d{2})(?:T(?<hour>\d{2})(?::(?<rest>\d{2}(?::\d{2})?))?(?<fraction>\.\d+)?)?(?<zone>Z|[+-]\d{2}:\d{2})?$/.exec(
      value,
    );
  const { day = '', hour = '00', rest = '00', fraction = '', zone = '' } = match?.groups ?? {};
  const seconds = rest.includes(':') ? rest : `${rest}:00`;
  const epochMs = match ? Date.parse(`${day}T${hour}:${seconds}${zone}`) : Number.NaN;
  if (Number.isNaN(epochMs)) {
    throw new CommandError(
      `invalid value for "${flag}": failed to parse value as time or duration: ${JSON.stringify(value)}`,
    );
  }
  return `${Math.trunc(epochMs / 1000)}.${fraction.slice(1, 10).padEnd(9, '0')}`;
}
