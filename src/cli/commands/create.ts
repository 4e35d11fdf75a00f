import type { Command, Invocation } from '../command.ts';
import { createContainer, creationFailure, requestOf } from '../create-container.ts';
import { containerFlags } from '../flags/container-flags.ts';
import { flag } from '../flags/flag.ts';
import type { ContainerRequest } from '../options/container-request.ts';

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
    const { id } = await createContainer(invocation, understood(invocation));
    invocation.session.print(`${id}\n`);
    return 0;
  },
};

function understood(invocation: Invocation): ContainerRequest {
  try {
    return requestOf(invocation);
  } catch (error) {
    throw creationFailure('create', error);
  }
}
