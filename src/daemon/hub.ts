import path from 'node:path';
import { rm } from 'node:fs/promises';
import { pino } from 'pino';
import { EngineError, messageOf } from '../base/errors.ts';
import { writeFileDurably } from '../base/files.ts';
import type { Logger } from '../base/log.ts';
import { serveHub } from '../hub/hub.ts';
import { flagHelp, readFlags, type FlagDescription } from './arguments.ts';
import { untilSignal } from './signals.ts';

const flags: Readonly<Record<string, FlagDescription>> = {
  'data-root': { value: 'string', help: 'Where repositories are kept (default "/var/lib/slipway-hub")' },
  listen: { value: 'string', help: 'Address and port to listen on (default "127.0.0.1:5000")' },
  'log-level': { value: 'string', help: 'debug, info, warn, error or fatal (default "info")' },
  pidfile: { value: 'string', help: 'File to write the process id to' },
};

/** Runs a Hub in the foreground until it is told to stop. Returns the exit code. */
export async function runHub(argv: readonly string[]): Promise<number> {
  try {
    const { help, values } = readFlags(argv, flags);
    if (help) {
      process.stdout.write(flagHelp('slipway hub [OPTIONS]', 'The Hub: a registry with search', flags));
      return 0;
    }
    const text = (name: string, fallback: string): string => {
      const value = values[name];
      return typeof value === 'string' ? value : fallback;
    };
    await serve(
      text('data-root', '/var/lib/slipway-hub'),
      text('listen', '127.0.0.1:5000'),
      text('log-level', 'info'),
      text('pidfile', ''),
    );
    return 0;
  } catch (error) {
    process.stderr.write(`slipway hub: ${messageOf(error)}\n`);
    return 1;
  }
}

async function serve(dataRoot: string, listen: string, level: string, pidfile: string): Promise<void> {
  if (!['debug', 'info', 'warn', 'error', 'fatal'].includes(level))
    throw new EngineError('invalidArgument', `invalid logging level: ${level}`);
  const log: Logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const stop = new AbortController();
  void untilSignal('SIGINT', 'SIGTERM').then((signal) => stop.abort(signal));
  if (pidfile !== '') await writeFileDurably(pidfile, `${process.pid}\n`, 0o644);
  try {
    await serveHub({ dataRoot: path.resolve(dataRoot), listen, log, signal: stop.signal });
  } finally {
    if (pidfile !== '') await rm(pidfile, { force: true });
  }
}
