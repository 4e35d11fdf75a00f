import type { Command } from '../command.ts';
import { containerPath, forEachArgument } from '../each.ts';

/** `slipway pause`. */
export const pauseCommand: Command = freezeCommand('pause', 'Pause all processes within one or more containers');

/** `slipway unpause`. */
export const unpauseCommand: Command = freezeCommand('unpause', 'Unpause all processes within one or more containers');

function freezeCommand(verb: string, summary: string): Command {
  return {
    names: [verb, `container ${verb}`],
    aliases: [`container ${verb}`, verb],
    usage: 'CONTAINER [CONTAINER...]',
    summary,
    flags: [],
    count: { min: 1 },
    run: (invocation) =>
      forEachArgument(invocation, async (container) => {
        await invocation.session.engine.text('POST', containerPath(container, `/${verb}`));
        return `${container}\n`;
      }),
  };
}
