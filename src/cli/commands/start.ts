import { messageOf } from '../../base/errors.ts';
import { checkInputTerminal, detachKeys, hasDetached } from '../attach-options.ts';
import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { watchExit } from '../container-exit.ts';
import { containerPath } from '../each.ts';
import { flag, hiddenFlag } from '../flags/flag.ts';
import { objectOf, textOf } from '../format/fields.ts';
import { isTerminal } from '../session.ts';
import { proxySignals } from '../signals.ts';
import { carryStreams, followTerminalSize } from '../streams.ts';
import { streamsOf } from './attach.ts';

/** `slipway start`. With `--attach` its exit code is the container's. */
export const startCommand: Command = {
  names: ['start', 'container start'],
  aliases: ['container start', 'start'],
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Start one or more stopped containers',
  flags: [
    flag('a', 'attach', 'bool', 'Attach STDOUT/STDERR and forward signals'),
    flag('', 'detach-keys', 'string', 'Override the key sequence for detaching a container'),
    flag('i', 'interactive', 'bool', "Attach container's STDIN"),
    hiddenFlag('sig-proxy', 'bool'),
  ],
  count: { min: 1 },
  run: async (invocation) => {
    const { flags, args } = invocation;
    if (!flags.bool('attach') && !flags.bool('interactive')) return startAll(invocation);
    if (args.length > 1) throw new CommandError('you cannot start and attach multiple containers at once');
    return startAttached(invocation, args[0] ?? '');
  },
};

async function startAll({ session, args }: Invocation): Promise<number> {
  const failed: string[] = [];
  for (const container of args) {
    try {
      await session.engine.text('POST', containerPath(container, '/start'));
      session.print(`${container}\n`);
    } catch (error) {
      session.warn(`${messageOf(error)}\n`);
      failed.push(container);
    }
  }
  if (failed.length > 0) throw new CommandError(`Error: failed to start containers: ${failed.join(', ')}`);
  return 0;
}

async function startAttached({ session, flags }: Invocation, container: string): Promise<number> {
  const { engine } = session;
  const answer = await engine.object('GET', containerPath(container, '/json'));
  const id = textOf(answer['Id']);
  const { tty, openStdin } = streamsOf(answer);
  const stdin = flags.bool('interactive') && openStdin;
  checkInputTerminal({ stdin, tty });
  using _signals = flags.bool('sig-proxy', 'on') && !tty ? proxySignals(engine, id) : undefined;
  const query = { stream: true, stdin, stdout: true, stderr: true, detachKeys: await detachKeys(session, flags) };
  const stream = await engine.hijack(`/containers/${id}/attach`, { query });
  const removes = objectOf(answer['HostConfig'])['AutoRemove'] === true;
  const { exitCode } = await watchExit(engine, id, removes ? 'removes itself' : 'stays');
  try {
    await engine.text('POST', `/containers/${id}/start`);
  } catch (error) {
    stream[Symbol.dispose]();
    if (removes) await exitCode.catch(() => undefined);
    throw error;
  }
  using _size = tty && isTerminal('stdout') ? followTerminalSize(engine, `/containers/${id}/resize`) : undefined;
  await carryStreams(stream, { stdin, tty });
  return tty && (await hasDetached(engine, id, exitCode)) ? 0 : exitCode;
}
