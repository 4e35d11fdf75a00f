import { parseReference, withDefaultTag } from '../../formats/oci/reference.ts';
import type { Command } from '../command.ts';
import { flag } from '../flags/flag.ts';
import { textOf } from '../format/fields.ts';
import { familiarReference } from '../pull-image.ts';

/** `slipway rollback`: lets an image's name refer to what it did before; this is a move like any other. */
export const rollbackCommand: Command = {
  names: ['rollback', 'image rollback'],
  aliases: ['image rollback', 'rollback'],
  usage: '[OPTIONS] NAME[:TAG] [REVISION]',
  summary: 'Let an image name refer again to what it referred to before',
  flags: [flag('m', 'message', 'string', 'Why')],
  count: { min: 1, max: 2 },
  run: async ({ session, flags, args: [name = '', revision] }) => {
    const query = { name, revision: revision?.replace(/^~/, ''), message: flags.string('message') };
    const answer = await session.engine.object('POST', '/slipway/images/rollback', { query });
    const title = familiarReference(withDefaultTag(parseReference(name)));
    session.print(`${title} is now ${textOf(answer['digest'])}\n`);
    return 0;
  },
};
