import { CommandError } from '../command-error.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { parseDuration } from '../format/durations.ts';

/** Returns the health check that the flags describe; `undefined` for the image's own. @throws {CommandError} */
export function parseHealth(flags: FlagValues): Readonly<Record<string, unknown>> | undefined {
  const fields = [
    'health-cmd',
    'health-interval',
    'health-timeout',
    'health-start-period',
    'health-start-interval',
    'health-retries',
  ];
  const given = fields.some((name) => flags.has(name) && !/^(0s?)?$/.test(flags.string(name)));
  if (flags.bool('no-healthcheck')) {
    if (given) throw new CommandError('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!given) return undefined;
  const command = flags.string('health-cmd');
  const time = (name: string): number => {
    const nanoseconds = parseDuration(flags.string(name, '0s'));
    if (nanoseconds < 0) throw new CommandError(`--${name} cannot be negative`);
    return nanoseconds;
  };
  const retries = flags.number('health-retries') ?? 0;
  if (retries < 0) throw new CommandError('--health-retries cannot be negative');
  return {
    ...(command === '' ? {} : { Test: ['CMD-SHELL', command] }),
    Interval: time('health-interval'),
    Timeout: time('health-timeout'),
    StartPeriod: time('health-start-period'),
    StartInterval: time('health-start-interval'),
    Retries: retries,
  };
}
