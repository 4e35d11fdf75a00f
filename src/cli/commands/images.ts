import type { JsonObject } from '../../base/json.ts';
import { parseReference } from '../../formats/oci/reference.ts';
import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { flag, tableFormatHelp } from '../flags/flag.ts';
import { formatSize } from '../format/byte-sizes.ts';
import { formatElapsed, formatMoment } from '../format/durations.ts';
import { numberOf, shortId, textOf, textsOf } from '../format/fields.ts';
import { encodeFilters } from '../format/filters.ts';
import { formatList } from '../format/list.ts';
import { familiarRepository } from '../pull-image.ts';
import { Fields } from '../template/values.ts';

/** `slipway images`. */
export const imagesCommand: Command = {
  names: ['images', 'image ls', 'image list'],
  aliases: ['image ls', 'image list', 'images'],
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  flags: [
    flag('a', 'all', 'bool', 'Show all images (default hides intermediate images)'),
    flag('', 'digests', 'bool', 'Show digests'),
    flag('f', 'filter', 'filter', 'Filter output based on conditions provided'),
    flag('', 'format', 'string', tableFormatHelp),
    flag('', 'no-trunc', 'bool', "Don't truncate output"),
    flag('q', 'quiet', 'bool', 'Only show image IDs'),
    flag('', 'tree', 'bool', 'List multi-platform images as a tree (EXPERIMENTAL)'),
  ],
  count: { min: 0, max: 1 },
  run: list,
};

const headers: Readonly<Record<string, string>> = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
};

async function list({ session, flags, args: [pattern] }: Invocation): Promise<number> {
  if (flags.bool('tree')) throw new CommandError('--tree is not supported');
  const quiet = flags.bool('quiet');
  const digests = flags.bool('digests');
  const whole = flags.bool('no-trunc');
  const filters = [...flags.list('filter'), ...(pattern === undefined ? [] : [`reference=${pattern}`])];
  const query = { all: flags.bool('all'), filters: encodeFilters(filters) };
  const images = await session.engine.list('/images/json', { query });
  let format = flags.string('format') || (quiet ? 'table' : (await session.setting('imagesFormat')) || 'table');
  if (quiet && format === 'table') format = '{{.ID}}';
  if (format === 'raw') format = rawFormat(digests, quiet);
  const digest = digests ? '\t{{.Digest}}' : '';
  const defaultTable = `{{.Repository}}\t{{.Tag}}${digest}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`;
  const withDigest = digests || format.includes('{{.Digest}}');
  const rows = images.flatMap((image) => rowsOf(image, withDigest ? 'with digests' : 'without digests', whole));
  session.print(formatList({ format, defaultTable, headers, rows }));
  return 0;
}

function rawFormat(digests: boolean, quiet: boolean): string {
  if (quiet) return 'image_id: {{.ID}}';
  const digest = digests ? 'digest: {{.Digest}}\n' : '';
  return `repository: {{.Repository}}\ntag: {{.Tag}}\n${digest}image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n`;
}

const none = '<none>';

/** An image has a row for each of its names. */
function rowsOf(image: JsonObject, digests: 'with digests' | 'without digests', whole: boolean): Fields[] {
  const tags = namesOf(textsOf(image['RepoTags']), 'tag');
  const pins = namesOf(textsOf(image['RepoDigests']), 'digest');
  const row = (repository: string, tag: string, digest: string): Fields =>
    rowOf(image, { repository, tag, digest: digests === 'with digests' ? digest : none }, whole);
  const rows: Fields[] = [];
  for (const [repository, names] of tags) {
    const [digest = none] = pins.get(repository) ?? [];
    pins.delete(repository);
    rows.push(...names.map((name) => row(repository, name, digest)));
  }
  for (const [repository, names] of pins) {
    const shown = digests === 'with digests' ? names : names.slice(0, 1);
    rows.push(...shown.map((digest) => row(repository, none, digest)));
  }
  return rows.length === 0 ? [row(none, none, none)] : rows;
}

function namesOf(names: readonly string[], part: 'tag' | 'digest'): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const name of names) {
    if (name.startsWith(none)) continue;
    const reference = parseReference(name);
    const value = reference[part];
    if (value === undefined) continue;
    const repository = familiarRepository(reference);
    found.set(repository, [...(found.get(repository) ?? []), value]);
  }
  return found;
}

interface Name {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

function rowOf(image: JsonObject, { repository, tag, digest }: Name, whole: boolean): Fields {
  const created = numberOf(image['Created']);
  const size = numberOf(image['Size']);
  const shared = numberOf(image['SharedSize']);
  const isShared = typeof image['SharedSize'] === 'number' && shared !== -1;
  const containers = numberOf(image['Containers']);
  const id = textOf(image['Id']);
  return new Fields('*formatter.imageContext', {
    ID: whole ? id : shortId(id),
    Repository: repository,
    Tag: tag,
    Digest: digest,
    CreatedSince: created <= 0 ? 'N/A' : `${formatElapsed(Date.now() / 1000 - created)} ago`,
    CreatedAt: created <= 0 ? 'N/A' : formatMoment(created),
    Size: formatSize(size, 3),
    Containers: containers === -1 ? 'N/A' : String(containers),
    VirtualSize: formatSize(size),
    SharedSize: isShared ? formatSize(shared) : 'N/A',
    UniqueSize: isShared ? formatSize(size - shared) : 'N/A',
  });
}
