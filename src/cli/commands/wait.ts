import type { Command } from '../command.ts';
import { containerPath, forEachArgument } from '../each.ts';
import { numberOf } from '../format/fields.ts';

/** `slipway wait`. */
export const waitCommand: Command = {
  names: ['wait', 'container wait'],
  aliases: ['container wait', 'wait'],
  usage: 'CONTAINER [CONTAINER...]',
  summary: 'Block until one or more containers stop, then print their exit codes',
  flags: [],
  count: { min: 1 },
  run: (invocation) =>
    forEachArgument(invocation, async (container) => {
      const answer = await invocation.session.engine.object('POST', containerPath(container, '/wait'));
      return `${numberOf(answer['StatusCode'])}\n`;
    }),
};
