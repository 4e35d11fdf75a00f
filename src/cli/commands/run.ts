import { messageOf } from '../../base/errors.ts';
import type { HijackedStream } from '../../client/engine-client.ts';
import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { watchExit } from '../container-exit.ts';
import { createContainer, creationFailure, requestOf, type CreatedContainer } from '../create-container.ts';
import { containerFlags } from '../flags/container-flags.ts';
import { flag } from '../flags/flag.ts';
import { checkInputTerminal, detachKeys, hasDetached } from '../attach-options.ts';
import type { ContainerRequest } from '../options/container-request.ts';
import { isTerminal } from '../session.ts';
import { proxySignals } from '../signals.ts';
import { carryStreams, followTerminalSize } from '../streams.ts';

/** `slipway run`. Exit codes: the container's; 125 when it could not be made or started, 126 and 127 when its program could not. */
export const runCommand: Command = {
  names: ['run', 'container run'],
  aliases: ['container run', 'run'],
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create and run a new container from an image',
  flags: [
    ...containerFlags,
    flag('d', 'detach', 'bool', 'Run container in background and print container ID'),
    flag('', 'detach-keys', 'string', 'Override the key sequence for detaching a container'),
    flag('', 'pull', 'string', 'Pull image before running ("always", "missing", "never") (default "missing")'),
    flag('', 'sig-proxy', 'bool', 'Proxy received signals to the process (default true)'),
  ],
  count: { min: 1 },
  flagsFirst: true,
  run,
};

async function run(invocation: Invocation): Promise<number> {
  const { flags, session } = invocation;
  const detached = flags.bool('detach');
  let request: ContainerRequest;
  let created: CreatedContainer;
  try {
    request = requestOf(invocation);
  } catch (error) {
    throw creationFailure('run', error);
  }
  if (detached) {
    if (flags.has('attach')) throw new CommandError('conflicting options: cannot specify both --attach and --detach');
    request = withoutStreams(request);
  } else checkInputTerminal(request);
  try {
    created = await createContainer(invocation, request);
  } catch (error) {
    throw creationFailure('run', error);
  }
  if (detached || !(request.stdin || request.stdout || request.stderr)) {
    await start(invocation, created.id);
    session.print(`${created.id}\n`);
    return 0;
  }
  return attachAndStart(invocation, created);
}

/** A container in the background keeps its input open, for whoever attaches later. */
function withoutStreams(request: ContainerRequest): ContainerRequest {
  const streams = { AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false };
  return { ...request, body: { ...request.body, ...streams }, stdin: false, stdout: false, stderr: false };
}

async function attachAndStart(invocation: Invocation, { id, request }: CreatedContainer): Promise<number> {
  const { session, flags } = invocation;
  const { engine } = session;
  using _signals = flags.bool('sig-proxy', 'on') && !request.tty ? proxySignals(engine, id) : undefined;
  const keys = await detachKeys(session, flags);
  const { stdin, stdout, stderr, tty } = request;
  const query = { stream: true, stdin, stdout, stderr, detachKeys: keys };
  const stream = await engine.hijack(`/containers/${id}/attach`, { query });
  const { exitCode } = await watchExit(engine, id, request.autoRemove ? 'removes itself' : 'stays');
  await startAttached(invocation, id, stream, request.autoRemove ? exitCode : undefined);
  if (!stdout && !stderr) session.print(`${id}\n`);
  const follows = tty && isTerminal('stdout') && stdout;
  using _size = follows ? followTerminalSize(engine, `/containers/${id}/resize`) : undefined;
  await carryStreams(stream, { stdin, tty });
  if (tty && (await hasDetached(engine, id, exitCode))) return 0;
  return exitCode;
}

async function start({ session }: Invocation, id: string): Promise<void> {
  try {
    await session.engine.text('POST', `/containers/${id}/start`);
  } catch (error) {
    throw creationFailure('run', error, startFailureCode(messageOf(error)));
  }
}

/** A container that removes itself is gone before its failure is reported. */
async function startAttached(
  invocation: Invocation,
  id: string,
  stream: HijackedStream,
  removed: Promise<number> | undefined,
): Promise<void> {
  try {
    await start(invocation, id);
  } catch (error) {
    stream[Symbol.dispose]();
    await removed?.catch(() => undefined);
    throw error;
  }
}

function startFailureCode(text: string): number {
  if (/executable file not found|no such file or directory|system cannot find the file specified/.test(text))
    return 127;
  return /permission denied|is a directory/.test(text) ? 126 : 125;
}
