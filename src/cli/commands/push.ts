import type { JsonObject } from '../../base/json.ts';
import { parseReference, withDefaultTag } from '../../formats/oci/reference.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { imagePath } from '../each.ts';
import { flag } from '../flags/flag.ts';
import { showProgress } from '../progress.ts';
import { familiarReference, familiarRepository } from '../pull-image.ts';
import { registryAuth } from '../registry-auth.ts';
import { isTerminal } from '../session.ts';

/** `slipway push`. */
export const pushCommand: Command = {
  names: ['push', 'image push'],
  aliases: ['image push', 'push'],
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Upload an image to a registry',
  flags: [
    flag('a', 'all-tags', 'bool', 'Push all tags of an image to the repository'),
    flag('', 'disable-content-trust', 'bool', 'Skip image signing (default true)'),
    flag(
      '',
      'platform',
      'string',
      `Push a platform-specific manifest as a single-platform image to the registry.
Image index won't be pushed, meaning that other manifests, including attestations won't be preserved.
'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)`,
    ),
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
    const messages: AsyncIterable<JsonObject> = session.engine.stream(
      'POST',
      imagePath(familiarRepository(full), '/push'),
      {
        query: { tag: full.tag, platform: platformQuery(flags.string('platform')) },
        headers: { 'X-Registry-Auth': await registryAuth(session, name) },
      },
    );
    const write = quiet ? (): void => undefined : (text: string): void => session.print(text);
    await showProgress(messages, { write, isTerminal: isTerminal('stdout') });
    if (quiet) session.print(`${familiarReference(full)}\n`);
    return 0;
  },
};

/** Platforms go as JSON; empty for none. */
export function platformQuery(platform: string): string {
  if (platform === '') return '';
  const [os, architecture, variant] = platform.split('/');
  return JSON.stringify({ architecture, os, ...(variant === undefined ? {} : { variant }) });
}
