import type { JsonObject } from '../../base/json.ts';
import type { Command, Invocation } from '../command.ts';
import { imagePath } from '../each.ts';
import { flag, tableFormatHelp } from '../flags/flag.ts';
import { formatSize } from '../format/byte-sizes.ts';
import { formatElapsed } from '../format/durations.ts';
import { ellipsis, numberOf, objectsOf, shortId, textOf } from '../format/fields.ts';
import { formatList } from '../format/list.ts';
import { Fields } from '../template/values.ts';
import { platformQuery } from './push.ts';

/** `slipway history`. */
export const historyCommand: Command = {
  names: ['history', 'image history'],
  aliases: ['image history', 'history'],
  usage: '[OPTIONS] IMAGE',
  summary: 'Show the history of an image',
  flags: [
    flag('', 'format', 'string', tableFormatHelp),
    flag('H', 'human', 'bool', 'Print sizes and dates in human readable format (default true)'),
    flag('', 'no-trunc', 'bool', "Don't truncate output"),
    flag(
      '',
      'platform',
      'string',
      'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    flag('q', 'quiet', 'bool', 'Only show image IDs'),
  ],
  count: { min: 1, max: 1 },
  run: show,
};

const headers: Readonly<Record<string, string>> = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
};

async function show({ session, flags, args: [image = ''] }: Invocation): Promise<number> {
  const query = { platform: platformQuery(flags.string('platform')) };
  const entries = objectsOf(await session.engine.json('GET', imagePath(image, '/history'), { query }));
  const human = flags.bool('human', 'on');
  const quiet = flags.bool('quiet');
  const created = human ? '{{.CreatedSince}}' : '{{.CreatedAt}}';
  let format = flags.string('format') || 'table';
  if (quiet && format === 'table') format = '{{.ID}}';
  const defaultTable = `{{.ID}}\t${created}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}`;
  const rows = entries.map((entry) => rowOf(entry, human, flags.bool('no-trunc')));
  session.print(formatList({ format, defaultTable, headers, rows }));
  return 0;
}

function rowOf(entry: JsonObject, human: boolean, whole: boolean): Fields {
  const id = textOf(entry['Id']);
  const created = numberOf(entry['Created']);
  const size = numberOf(entry['Size']);
  const command = textOf(entry['CreatedBy']).replaceAll('\t', ' ');
  return new Fields('*image.historyContext', {
    ID: whole ? id : shortId(id),
    CreatedAt: formatSecond(created),
    CreatedSince: created <= 0 ? 'N/A' : `${formatElapsed(Date.now() / 1000 - created)} ago`,
    CreatedBy: whole ? command : ellipsis(command, 45),
    Size: human ? formatSize(size, 3) : String(size),
    Comment: textOf(entry['Comment']),
  });
}

function formatSecond(epochSeconds: number): string {
  return new Date(epochSeconds * 1000).toISOString().replace('.000Z', 'Z');
}
