import type { JsonObject } from '../../base/json.ts';
import type { Command, Invocation } from '../command.ts';
import { containerPath } from '../each.ts';
import { numberOf, objectsOf, textOf, textsOf } from '../format/fields.ts';

/** `slipway diff CONTAINER` as docker's; `slipway diff IMAGE IMAGE` shows what the second image has otherwise. */
export const diffCommand: Command = {
  names: ['diff', 'container diff'],
  aliases: ['container diff', 'diff'],
  usage: 'CONTAINER | IMAGE IMAGE',
  summary: "Inspect changes to files or directories on a container's filesystem, or between two images",
  flags: [],
  count: { min: 1, max: 2 },
  run: async (invocation) => (invocation.args.length === 2 ? diffImages(invocation) : diffContainer(invocation)),
};

const kinds = ['C', 'A', 'D'];

async function diffContainer({ session, args: [container = ''] }: Invocation): Promise<number> {
  const changes = objectsOf(await session.engine.json('GET', containerPath(container, '/changes')));
  session.print(changes.map(({ Kind, Path }) => `${kinds[numberOf(Kind)] ?? '?'} ${textOf(Path)}\n`).join(''));
  return 0;
}

async function diffImages({ session, args: [from = '', to = ''] }: Invocation): Promise<number> {
  const changes = await session.engine.list('/slipway/images/diff', { query: { from, to } });
  session.print(changes.map(formatChange).join(''));
  return 0;
}

const letters: Readonly<Record<string, string>> = { added: 'A', removed: 'D', changed: 'C' };

/** What changed is told where it is not just the content. */
function formatChange(change: JsonObject): string {
  const what = textsOf(change['what']);
  const note = textOf(change['change']) === 'changed' && what.join() !== 'content' ? ` (${what.join(', ')})` : '';
  return `${letters[textOf(change['change'])] ?? '?'} ${textOf(change['path'])}${note}\n`;
}
