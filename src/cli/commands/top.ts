import type { Command } from '../command.ts';
import { containerPath } from '../each.ts';
import { textsOf } from '../format/fields.ts';
import { tabulate } from '../format/tabulate.ts';

/** `slipway top`. */
export const topCommand: Command = {
  names: ['top', 'container top'],
  aliases: ['container top', 'top'],
  usage: 'CONTAINER [ps OPTIONS]',
  summary: 'Display the running processes of a container',
  flags: [],
  count: { min: 1 },
  flagsFirst: true,
  run: async ({ session, args: [container = '', ...options] }) => {
    const query = { ps_args: options.join(' ') };
    const answer = await session.engine.object('GET', containerPath(container, '/top'), { query });
    const processes = Array.isArray(answer['Processes']) ? answer['Processes'] : [];
    const lines = [textsOf(answer['Titles']), ...processes.map(textsOf)].map((cells) => `${cells.join('\t')}\n`);
    session.print(tabulate(lines.join(''), { minimum: 20, padding: 3 }));
    return 0;
  },
};
