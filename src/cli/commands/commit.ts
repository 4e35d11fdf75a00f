import { parseReference } from '../../formats/oci/reference.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { flag } from '../flags/flag.ts';
import { textOf } from '../format/fields.ts';
import { familiarRepository } from '../pull-image.ts';

/** `slipway commit`. */
export const commitCommand: Command = {
  names: ['commit', 'container commit'],
  aliases: ['container commit', 'commit'],
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  summary: "Create a new image from a container's changes",
  flags: [
    flag('a', 'author', 'string', 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")'),
    flag('c', 'change', 'list', 'Apply Dockerfile instruction to the created image'),
    flag('m', 'message', 'string', 'Commit message'),
    flag('p', 'pause', 'bool', 'Pause container during commit (default true)'),
  ],
  count: { min: 1, max: 2 },
  run: async ({ session, flags, args: [container = '', name = ''] }) => {
    const reference = name === '' ? undefined : parseReference(name);
    if (reference?.digest !== undefined) throw new CommandError('refusing to create a tag with a digest reference');
    const parameters = new URLSearchParams({
      container,
      repo: reference ? familiarRepository(reference) : '',
      tag: reference ? (reference.tag ?? 'latest') : '',
      comment: flags.string('message'),
      author: flags.string('author'),
      pause: flags.bool('pause', 'on') ? '1' : '0',
    });
    for (const change of flags.list('change')) parameters.append('changes', change);
    const answer = await session.engine.object('POST', `/commit?${parameters.toString()}`, { body: {} });
    session.print(`${textOf(answer['Id'])}\n`);
    return 0;
  },
};
