import { messageOf } from '../../base/errors.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { containerPath } from '../each.ts';

/** `slipway rename`. */
export const renameCommand: Command = {
  names: ['rename', 'container rename'],
  aliases: ['container rename', 'rename'],
  usage: 'CONTAINER NEW_NAME',
  summary: 'Rename a container',
  flags: [],
  count: { min: 2, max: 2 },
  run: async ({ session, args }) => {
    const [from = '', to = ''] = args.map((name) => name.trim());
    if (from === '' || to === '') throw new CommandError('Error: Neither old nor new names may be empty');
    try {
      await session.engine.text('POST', containerPath(from, '/rename'), { query: { name: to } });
    } catch (error) {
      const text = `${messageOf(error)}\nError: failed to rename container named ${from}`;
      throw new CommandError(text, 1, { cause: error });
    }
    return 0;
  },
};
