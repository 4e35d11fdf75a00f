import { checkInputTerminal, detachKeys } from '../attach-options.ts';
import type { Command, Invocation } from '../command.ts';
import { containerPath } from '../each.ts';
import { flag } from '../flags/flag.ts';
import { checkEnv } from '../flags/validators.ts';
import { numberOf, textOf } from '../format/fields.ts';
import { readEnvironment } from '../options/environment.ts';
import { isTerminal, terminalSize } from '../session.ts';
import { carryStreams, followTerminalSize } from '../streams.ts';

/** `slipway exec`. Its exit code is the command's. */
export const execCommand: Command = {
  names: ['exec', 'container exec'],
  aliases: ['container exec', 'exec'],
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  summary: 'Execute a command in a running container',
  flags: [
    flag('d', 'detach', 'bool', 'Detached mode: run command in the background'),
    flag('', 'detach-keys', 'string', 'Override the key sequence for detaching a container'),
    flag('e', 'env', 'list', 'Set environment variables', checkEnv),
    flag('', 'env-file', 'list', 'Read in a file of environment variables'),
    flag('i', 'interactive', 'bool', 'Keep STDIN open even if not attached'),
    flag('', 'privileged', 'bool', 'Give extended privileges to the command'),
    flag('t', 'tty', 'bool', 'Allocate a pseudo-TTY'),
    flag('u', 'user', 'string', 'Username or UID (format: "<name|uid>[:<group|gid>]")'),
    flag('w', 'workdir', 'string', 'Working directory inside the container'),
  ],
  count: { min: 2 },
  flagsFirst: true,
  run: execute,
};

async function execute({ session, flags, args: [container = '', ...command] }: Invocation): Promise<number> {
  const { engine } = session;
  const detached = flags.bool('detach');
  const tty = flags.bool('tty');
  const stdin = flags.bool('interactive') && !detached;
  const keys = await detachKeys(session, flags);
  const size = tty && !detached ? terminalSize() : undefined;
  const consoleSize = size && size.rows > 0 ? { ConsoleSize: [size.rows, size.columns] } : {};
  const body = {
    User: flags.string('user'),
    Privileged: flags.bool('privileged'),
    Tty: tty,
    AttachStdin: stdin,
    AttachStdout: !detached,
    AttachStderr: !detached,
    DetachKeys: keys,
    Env: readEnvironment(flags.list('env-file'), flags.list('env'), session.environment),
    WorkingDir: flags.string('workdir'),
    Cmd: command,
    ...consoleSize,
  };
  await engine.object('GET', containerPath(container, '/json'));
  if (!detached) checkInputTerminal({ stdin, tty });
  const id = textOf((await engine.object('POST', containerPath(container, '/exec'), { body }))['Id']);
  const start = { Detach: detached, Tty: tty, ...consoleSize };
  if (detached) {
    await engine.text('POST', `/exec/${id}/start`, { body: start });
    return 0;
  }
  const stream = await engine.hijack(`/exec/${id}/start`, { body: start });
  using _size = tty && isTerminal('stdout') ? followTerminalSize(engine, `/exec/${id}/resize`) : undefined;
  await carryStreams(stream, { stdin, tty });
  return numberOf((await engine.object('GET', `/exec/${id}/json`))['ExitCode']);
}
