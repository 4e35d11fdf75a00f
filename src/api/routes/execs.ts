import { EngineError, messageOf } from '../../base/errors.ts';
import type { ExecRecord } from '../../container/execs.ts';
import { optionalFlag, readFields, flag, strings, stringOrStrings, text } from '../../formats/engine-api/fields.ts';
import { bridge, defaultDetachKeys, frame, parseDetachKeys, streamTypes } from '../multiplex.ts';
import { atLeast, type ApiReply, type ApiRequest, type Route } from '../route.ts';
import type { EngineServices } from '../../engine/services.ts';
import { terminalSize } from './containers.ts';

/** Routes about processes started in running containers. */
export function execRoutes(services: EngineServices): readonly Route[] {
  return [
    { method: 'POST', path: '/containers/{id}/exec', handler: (request, reply) => create(services, request, reply) },
    { method: 'POST', path: '/exec/{id}/start', handler: (request, reply) => start(services, request, reply) },
    {
      method: 'POST',
      path: '/exec/{id}/resize',
      handler: async (request, reply) => {
        await services.execs.resize(request.params['id'] ?? '', terminalSize(request));
        reply.empty(200);
      },
    },
    {
      method: 'GET',
      path: '/exec/{id}/json',
      handler: async ({ params }, reply) => reply.json(200, inspectExec(services.execs.get(params['id'] ?? ''))),
    },
  ];
}

async function create({ containers, execs }: EngineServices, request: ApiRequest, reply: ApiReply): Promise<void> {
  const instance = containers.registry.get(request.params['id'] ?? '');
  const body = await request.body();
  const read = readFields(body, {
    AttachStdin: flag,
    AttachStdout: flag,
    AttachStderr: flag,
    DetachKeys: text(),
    Tty: flag,
    Env: strings,
    Cmd: stringOrStrings,
    Privileged: optionalFlag,
    User: text(),
    WorkingDir: text(),
  });
  if (read.DetachKeys !== '' && !parseDetachKeys(read.DetachKeys))
    throw new EngineError('invalidArgument', `Invalid escape keys (${read.DetachKeys}) provided`);
  const record = execs.create(instance, {
    command: read.Cmd ?? [],
    user: read.User,
    environment: read.Env ?? [],
    workingDirectory: read.WorkingDir,
    privileged: read.Privileged ?? false,
    terminal: read.Tty,
    ...consoleSize(body['ConsoleSize']),
    ...(read.DetachKeys === '' ? {} : { detachKeys: read.DetachKeys }),
    streams: { stdin: read.AttachStdin, stdout: read.AttachStdout, stderr: read.AttachStderr },
  });
  reply.json(201, { Id: record.id });
}

/** Reads `[height, width]`. */
function consoleSize(value: unknown): { size?: { rows: number; columns: number } } {
  if (!Array.isArray(value) || value.length !== 2) return {};
  const [rows, columns] = value as readonly unknown[];
  return typeof rows === 'number' && typeof columns === 'number' && rows > 0 && columns > 0
    ? { size: { rows, columns } }
    : {};
}

async function start({ execs }: EngineServices, request: ApiRequest, reply: ApiReply): Promise<void> {
  const record = execs.get(request.params['id'] ?? '');
  const body = await request.body();
  const size = consoleSize(body['ConsoleSize']);
  if (body['Detach'] === true) {
    await execs.start(record.id, undefined, size);
    reply.empty(200);
    return;
  }
  const { config } = record;
  const keysText = config.detachKeys ?? '';
  const detachKeys = keysText === '' ? defaultDetachKeys : parseDetachKeys(keysText);
  if (!detachKeys) throw new EngineError('invalidArgument', `Invalid detach keys (${keysText}) provided`);
  if (record.state !== 'created') {
    throw new EngineError('conflict', `Error: Exec command ${record.id} is already running`);
  }
  const multiplexed = !config.terminal && atLeast(request.version, 42);
  const connection = reply.hijack(multiplexed ? streamTypes.multiplexed : streamTypes.raw);
  try {
    const attachment = await execs.start(record.id, config.streams, size);
    if (attachment)
      await bridge(connection, attachment, {
        terminal: config.terminal,
        stdin: config.streams.stdin,
        detachKeys,
        ended: execs.wait(record.id),
      });
    else connection.output.end();
  } catch (error) {
    // The connection is the process's already: what went wrong is said where its output would stand, as docker does.
    const text = Buffer.from(`${messageOf(error)}\r\n`);
    connection.output.end(multiplexed ? frame('stdout', text) : text);
  }
}

/** Returns an exec as `GET /exec/{id}/json` shows it. */
export function inspectExec({ id, containerId, config, state, pid, exitCode }: ExecRecord): object {
  const [entrypoint = '', ...rest] = config.command;
  return {
    ID: id,
    Running: state === 'running',
    ExitCode: exitCode ?? null,
    ProcessConfig: {
      tty: config.terminal,
      entrypoint,
      arguments: rest,
      privileged: config.privileged,
      ...(config.user === '' ? {} : { user: config.user }),
    },
    OpenStdin: config.streams.stdin,
    OpenStderr: config.streams.stderr,
    OpenStdout: config.streams.stdout,
    CanRemove: false,
    ContainerID: containerId,
    DetachKeys: config.detachKeys ?? '',
    Pid: pid,
  };
}
