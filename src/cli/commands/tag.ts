import { messageOf } from '../../base/errors.ts';
import { parseReference } from '../../formats/oci/reference.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { imagePath } from '../each.ts';
import { familiarRepository } from '../pull-image.ts';

/** `slipway tag`. */
export const tagCommand: Command = {
  names: ['tag', 'image tag'],
  aliases: ['image tag', 'tag'],
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  flags: [],
  count: { min: 2, max: 2 },
  run: async ({ session, args: [source = '', target = ''] }) => {
    const reference = parseTarget(target);
    const query = { repo: familiarRepository(reference), tag: reference.tag ?? 'latest' };
    await session.engine.text('POST', imagePath(source, '/tag'), { query });
    return 0;
  },
};

function parseTarget(target: string): ReturnType<typeof parseReference> {
  try {
    const reference = parseReference(target);
    if (reference.digest === undefined) return reference;
  } catch (error) {
    const text = `Error parsing reference: ${JSON.stringify(target)} is not a valid repository/tag: ${messageOf(error)}`;
    throw new CommandError(text, 1, { cause: error });
  }
  throw new CommandError('refusing to create a tag with a digest reference');
}
