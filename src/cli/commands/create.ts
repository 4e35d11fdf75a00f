import type { Command } from '../command.ts';
import { createContainer, creationFailure, requestOf } from '../create-container.ts';
import { containerFlags } from '../flags/container-flags.ts';
import { flag } from '../flags/flag.ts';

/** `slipway create`. */
export const createCommand: Command = {
  names: ['create', 'container create'],
  aliases: ['container create', 'create'],
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a new container',
  flags: [
    ...containerFlags,
    flag('', 'pull', 'string', 'Pull image before creating ("always", "|missing", "never") (default "missing")'),
  ],
  count: { min: 1 },
  flagsFirst: true,
  run: async (invocation) => {
    try {
      const { id } = await createContainer(invocation, requestOf(invocation));
      invocation.session.print(`${id}\n`);
      return 0;
    } catch (error) {
      throw creationFailure('create', error);
    }
  },
};
