import type { Command, Invocation } from '../command.ts';
import { containerPath, forEachArgument } from '../each.ts';
import { flag, hiddenFlag, type Flag } from '../flags/flag.ts';

const flags: readonly Flag[] = [
  flag('s', 'signal', 'string', 'Signal to send to the container'),
  flag('t', 'timeout', 'int', 'Seconds to wait before killing the container'),
  hiddenFlag('time', 'int'),
];

/** `slipway stop`. */
export const stopCommand: Command = {
  names: ['stop', 'container stop'],
  aliases: ['container stop', 'stop'],
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Stop one or more running containers',
  flags,
  count: { min: 1 },
  run: (invocation) => end(invocation, 'stop'),
};

/** `slipway restart`. */
export const restartCommand: Command = {
  names: ['restart', 'container restart'],
  aliases: ['container restart', 'restart'],
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Restart one or more containers',
  flags,
  count: { min: 1 },
  run: (invocation) => end(invocation, 'restart'),
};

function end(invocation: Invocation, verb: 'stop' | 'restart'): Promise<number> {
  const { flags: given, session } = invocation;
  const query = { signal: given.string('signal'), t: given.number('timeout') ?? given.number('time') };
  return forEachArgument(invocation, async (container) => {
    await session.engine.text('POST', containerPath(container, `/${verb}`), { query });
    return `${container}\n`;
  });
}
