import type { JsonObject } from '../../base/json.ts';
import { checkInputTerminal, detachKeys, hasDetached } from '../attach-options.ts';
import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { watchExit } from '../container-exit.ts';
import { containerPath } from '../each.ts';
import { flag } from '../flags/flag.ts';
import { objectOf, textOf } from '../format/fields.ts';
import { isTerminal } from '../session.ts';
import { proxySignals } from '../signals.ts';
import { carryStreams, followTerminalSize } from '../streams.ts';

/** `slipway attach`. Its exit code is the container's, or 0 when the user detaches. */
export const attachCommand: Command = {
  names: ['attach', 'container attach'],
  aliases: ['container attach', 'attach'],
  usage: '[OPTIONS] CONTAINER',
  summary: 'Attach local standard input, output, and error streams to a running container',
  flags: [
    flag('', 'detach-keys', 'string', 'Override the key sequence for detaching a container'),
    flag('', 'no-stdin', 'bool', 'Do not attach STDIN'),
    flag('', 'sig-proxy', 'bool', 'Proxy all received signals to the process (default true)'),
  ],
  count: { min: 1, max: 1 },
  run: attach,
};

async function attach({ session, flags, args: [container = ''] }: Invocation): Promise<number> {
  const { engine } = session;
  const answer = await engine.object('GET', containerPath(container, '/json'));
  checkState(objectOf(answer['State']));
  const id = textOf(answer['Id']);
  const { tty, openStdin } = streamsOf(answer);
  const stdin = openStdin && !flags.bool('no-stdin');
  checkInputTerminal({ stdin, tty });
  using _signals = flags.bool('sig-proxy', 'on') && !tty ? proxySignals(engine, id) : undefined;
  const { exitCode } = await watchExit(engine, id, 'stays');
  const query = { stream: true, stdin, stdout: true, stderr: true, detachKeys: await detachKeys(session, flags) };
  const stream = await engine.hijack(`/containers/${id}/attach`, { query });
  using _size = tty && isTerminal('stdout') ? followTerminalSize(engine, `/containers/${id}/resize`) : undefined;
  await carryStreams(stream, { stdin, tty });
  return (await hasDetached(engine, id, exitCode)) ? 0 : exitCode;
}

/** Returns what a container has been made with. */
export function streamsOf(answer: JsonObject): { readonly tty: boolean; readonly openStdin: boolean } {
  const config = objectOf(answer['Config']);
  return { tty: config['Tty'] === true, openStdin: config['OpenStdin'] === true };
}

function checkState(state: JsonObject): void {
  const fail = (what: string): never => {
    throw new CommandError(
      `You cannot attach to a ${what} container, ${what === 'restarting' ? 'wait until it is running' : `${what === 'paused' ? 'unpause' : 'start'} it first`}`,
    );
  };
  if (state['Running'] !== true) fail('stopped');
  if (state['Paused'] === true) fail('paused');
  if (state['Restarting'] === true) fail('restarting');
}
