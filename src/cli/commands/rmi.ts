import { kindOf, messageOf } from '../../base/errors.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { imagePath } from '../each.ts';
import { flag } from '../flags/flag.ts';
import { objectsOf, textOf } from '../format/fields.ts';
import { platformQuery } from './push.ts';

/** `slipway rmi`. */
export const rmiCommand: Command = {
  names: ['rmi', 'image rm', 'image remove'],
  aliases: ['image rm', 'image remove', 'rmi'],
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Remove one or more images',
  flags: [
    flag('f', 'force', 'bool', 'Force removal of the image'),
    flag('', 'no-prune', 'bool', 'Do not delete untagged parents'),
    flag(
      '',
      'platform',
      'strings',
      'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
  ],
  count: { min: 1 },
  run: async ({ session, flags, args }) => {
    const force = flags.bool('force');
    const failures: string[] = [];
    let fatal = false;
    const platforms = flags.list('platform').map(platformQuery);
    const query = {
      force,
      noprune: flags.bool('no-prune'),
      platforms: platforms.length === 0 ? undefined : `[${platforms.join(',')}]`,
    };
    for (const image of args) {
      try {
        const removed = objectsOf(await session.engine.json('DELETE', imagePath(image), { query }));
        for (const item of removed) {
          const deleted = textOf(item['Deleted']);
          session.print(deleted === '' ? `Untagged: ${textOf(item['Untagged'])}\n` : `Deleted: ${deleted}\n`);
        }
      } catch (error) {
        failures.push(messageOf(error));
        fatal ||= kindOf(error) !== 'notFound';
      }
    }
    if (failures.length === 0) return 0;
    if (fatal || !force) throw new CommandError(failures.join('\n'));
    session.warn(`${failures.join('\n')}\n`);
    return 0;
  },
};
