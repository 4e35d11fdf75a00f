import { parseReference, withDefaultTag } from '../../formats/oci/reference.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { flag } from '../flags/flag.ts';
import { showProgress } from '../progress.ts';
import { pullImage } from '../pull-image.ts';
import { isTerminal } from '../session.ts';

/** `slipway pull`. */
export const pullCommand: Command = {
  names: ['pull', 'image pull'],
  aliases: ['image pull', 'pull'],
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Download an image from a registry',
  flags: [
    flag('a', 'all-tags', 'bool', 'Download all tagged images in the repository'),
    flag('', 'disable-content-trust', 'bool', 'Skip image verification (default true)'),
    flag('', 'platform', 'string', 'Set platform if server is multi-platform capable'),
    flag('q', 'quiet', 'bool', 'Suppress verbose output'),
  ],
  count: { min: 1, max: 1 },
  run: async ({ session, flags, args: [name = ''] }) => {
    const reference = parseReference(name);
    const allTags = flags.bool('all-tags');
    const quiet = flags.bool('quiet');
    const isBare = reference.tag === undefined && reference.digest === undefined;
    if (allTags && !isBare) throw new CommandError("tag can't be used with --all-tags/-a");
    const full = allTags ? reference : withDefaultTag(reference);
    if (isBare && !allTags && !quiet) session.print(`Using default tag: ${full.tag ?? ''}\n`);
    const messages = pullImage(session, { reference: name, platform: flags.string('platform'), allTags });
    const write = quiet ? (): void => undefined : (text: string): void => session.print(text);
    await showProgress(messages, { write, isTerminal: isTerminal('stdout') });
    const tag = full.tag === undefined ? '' : `:${full.tag}`;
    const digest = full.digest === undefined ? '' : `@${full.digest}`;
    session.print(`${full.registry}/${full.repository}${tag}${digest}\n`);
    return 0;
  },
};
