import { kindOf } from '../../base/errors.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { containerPath, forEachArgument } from '../each.ts';
import { flag } from '../flags/flag.ts';

/** `slipway rm`. */
export const rmCommand: Command = {
  names: ['rm', 'container rm', 'container remove'],
  aliases: ['container rm', 'container remove', 'rm'],
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Remove one or more containers',
  flags: [
    flag('f', 'force', 'bool', 'Force the removal of a running container (uses SIGKILL)'),
    flag('l', 'link', 'bool', 'Remove the specified link'),
    flag('v', 'volumes', 'bool', 'Remove anonymous volumes associated with the container'),
  ],
  count: { min: 1 },
  run: (invocation) => {
    const { flags, session } = invocation;
    const force = flags.bool('force');
    const query = { v: flags.bool('volumes'), link: flags.bool('link'), force };
    return forEachArgument(invocation, async (container) => {
      const name = container.replace(/^\/+|\/+$/g, '');
      if (name === '') throw new CommandError('Container name cannot be empty');
      try {
        await session.engine.text('DELETE', containerPath(name), { query });
      } catch (error) {
        // What is forced is told, but is no failure, when there is nothing to be removed.
        if (!force || kindOf(error) !== 'notFound') throw error;
        session.warn(`${error instanceof Error ? error.message : String(error)}\n`);
        return '';
      }
      return `${container}\n`;
    });
  },
};
