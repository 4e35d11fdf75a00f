import type { Writable } from 'node:stream';
import { EngineError } from '../../base/errors.ts';
import { logFileOf } from '../../container/bundle.ts';
import type { ContainerInstance } from '../../container/instance.ts';
import { isRunning } from '../../container/lifecycle.ts';
import type { EngineServices } from '../../engine/services.ts';
import type { LogEntry } from '../../logs/log-entry.ts';
import { readLogs } from '../../logs/read-logs.ts';
import { frame, send, streamTypes } from '../multiplex.ts';
import { atLeast, queryFlag, type ApiReply, type ApiRequest } from '../route.ts';
import { parseTime } from '../times.ts';

/** `GET /containers/{id}/logs`. */
export async function streamLogs(
  services: EngineServices,
  instance: ContainerInstance,
  request: ApiRequest,
  reply: ApiReply,
): Promise<void> {
  const { query, version, signal } = request;
  const streams = (['stdout', 'stderr'] as const).filter((stream) => queryFlag(query, stream));
  if (streams.length === 0)
    throw new EngineError('invalidArgument', 'Bad parameters: you must choose at least one stream');
  const file = logFile(services, instance);
  const now = services.clock.now();
  const since = parseTime(query.get('since'), now);
  const until = parseTime(query.get('until'), now);
  const tail = tailOf(query.get('tail'));
  const { config } = instance.record;
  const multiplexed = !config.Tty && atLeast(version, 42);
  const response = reply.raw(200, { 'Content-Type': multiplexed ? streamTypes.multiplexed : streamTypes.raw });
  const follow = queryFlag(query, 'follow') ? endOf(instance, signal) : undefined;
  const write = entryWriter({ terminal: config.Tty, timestamps: queryFlag(query, 'timestamps') });
  const entries = readLogs({
    file,
    streams,
    signal,
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(follow ? { follow } : {}),
  });
  for await (const entry of entries) if (!(await write(response, entry))) break;
  response.end();
}

/** Following ends with the program, or with the client. */
function endOf(instance: ContainerInstance, signal: AbortSignal): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  signal.addEventListener('abort', resolve, { once: true });
  if (isRunning(instance.record.state) || instance.record.state.status === 'restarting')
    void instance.wait('next-exit').then(resolve);
  else resolve(undefined);
  return promise;
}

/** Writes what a container has printed so far to somebody who attaches. */
export async function replayLogs(
  services: EngineServices,
  instance: ContainerInstance,
  wanted: { readonly stdout: boolean; readonly stderr: boolean },
  output: Writable,
): Promise<void> {
  const streams = (['stdout', 'stderr'] as const).filter((stream) => wanted[stream]);
  const write = entryWriter({ terminal: instance.record.config.Tty, timestamps: false });
  for await (const entry of readLogs({ file: logFile(services, instance), streams })) {
    if (!(await write(output, entry))) return;
  }
}

/** @throws {EngineError} notImplemented in docker's words when the log driver keeps nothing */
function logFile({ containers }: EngineServices, { record }: ContainerInstance): string {
  const file = logFileOf(containers, record);
  if (file === undefined) throw new EngineError('notImplemented', 'configured logging driver does not support reading');
  return file;
}

/** Reads `all` or a number; undefined for all. What is no number means all too, as docker has it. */
function tailOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function entryWriter(options: {
  readonly terminal: boolean;
  readonly timestamps: boolean;
}): (output: Writable, entry: LogEntry) => Promise<boolean> {
  return (output, entry) => {
    const text = options.timestamps ? `${entry.time} ${entry.text}` : entry.text;
    const bytes = Buffer.from(text, 'utf8');
    return send(output, options.terminal ? bytes : frame(entry.stream, bytes));
  };
}
