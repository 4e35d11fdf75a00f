import type { Command } from '../command.ts';
import { containerPath, forEachArgument } from '../each.ts';
import { flag } from '../flags/flag.ts';

/** `slipway kill`. */
export const killCommand: Command = {
  names: ['kill', 'container kill'],
  aliases: ['container kill', 'kill'],
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Kill one or more running containers',
  flags: [flag('s', 'signal', 'string', 'Signal to send to the container')],
  count: { min: 1 },
  run: (invocation) =>
    forEachArgument(invocation, async (container) => {
      const query = { signal: invocation.flags.string('signal') };
      await invocation.session.engine.text('POST', containerPath(container, '/kill'), { query });
      return `${container}\n`;
    }),
};
