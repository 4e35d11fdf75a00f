import type { JsonObject } from '../../base/json.ts';
import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { flag, tableFormatHelp } from '../flags/flag.ts';
import { formatSize } from '../format/byte-sizes.ts';
import { formatElapsed, formatMoment } from '../format/durations.ts';
import { ellipsis, numberOf, objectOf, objectsOf, shortId, textOf, textsOf } from '../format/fields.ts';
import { encodeFilters } from '../format/filters.ts';
import { formatList, parseFormat, templateFailure } from '../format/list.ts';
import { formatPorts } from '../format/port-list.ts';
import { runTemplate } from '../template/run-template.ts';
import { Fields } from '../template/values.ts';

/** `slipway ps`. */
export const psCommand: Command = {
  names: ['ps', 'container ls', 'container list', 'container ps'],
  aliases: ['container ls', 'container list', 'container ps', 'ps'],
  usage: '[OPTIONS]',
  summary: 'List containers',
  flags: [
    flag('a', 'all', 'bool', 'Show all containers (default shows just running)'),
    flag('f', 'filter', 'filter', 'Filter output based on conditions provided'),
    flag('', 'format', 'string', tableFormatHelp),
    flag('n', 'last', 'int', 'Show n last created containers (includes all states) (default -1)'),
    flag('l', 'latest', 'bool', 'Show the latest created container (includes all states)'),
    flag('', 'no-trunc', 'bool', "Don't truncate output"),
    flag('q', 'quiet', 'bool', 'Only display container IDs'),
    flag('s', 'size', 'bool', 'Display total file sizes'),
  ],
  count: { min: 0, max: 0 },
  run: list,
};

const headers: Readonly<Record<string, string>> = {
  ID: 'CONTAINER ID',
  Names: 'NAMES',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Ports: 'PORTS',
  State: 'STATE',
  Status: 'STATUS',
  Size: 'SIZE',
  Labels: 'LABELS',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
  Platform: 'PLATFORM',
};

const columns = ['{{.ID}}', '{{.Image}}', '{{.Command}}', '{{.RunningFor}}', '{{.Status}}', '{{.Ports}}', '{{.Names}}'];
const rawColumns = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{.State}}
status: {{.Status}}
names: {{.Names}}
labels: {{.Labels}}
ports: {{.Ports}}
`;

async function list({ session, flags }: Invocation): Promise<number> {
  const quiet = flags.bool('quiet');
  const given = flags.string('format');
  let format = given || (quiet ? 'table' : (await session.setting('psFormat')) || 'table');
  if (given !== '') checkFormat(given);
  const size = flags.bool('size') || format.includes('.Size');
  if (flags.has('last') && flags.bool('latest')) throw new CommandError('conflicting options: --last and --latest');
  const limit = flags.bool('latest') ? 1 : (flags.number('last') ?? -1);
  const query = {
    all: flags.bool('all'),
    limit: limit > 0 ? limit : undefined,
    size,
    filters: encodeFilters(flags.list('filter')),
  };
  const containers = await session.engine.list('/containers/json', { query });
  const whole = flags.bool('no-trunc');
  if (quiet && format === 'table') format = '{{.ID}}';
  if (format === 'raw') format = quiet ? 'container_id: {{.ID}}' : rawColumns + (size ? 'size: {{.Size}}\n' : '');
  const defaultTable = [...columns, ...(size ? ['{{.Size}}'] : [])].join('\t');
  const rows = containers.map((container) => rowOf(container, whole));
  session.print(formatList({ format, defaultTable, headers, rows }));
  return 0;
}

/** A template that is wrong is told before the engine is asked. */
function checkFormat(format: string): void {
  const source = format === 'json' || format === 'table' || format === 'raw' ? '' : format;
  const template = parseFormat(source, 'failed to parse template');
  try {
    runTemplate(template, rowOf({}, true));
  } catch (error) {
    throw templateFailure(error, 'failed to execute template');
  }
}

function rowOf(container: JsonObject, whole: boolean): Fields {
  const created = numberOf(container['Created']);
  const names = textsOf(container['Names']).map((name) => name.replace(/^\//, ''));
  const labels = objectOf(container['Labels']);
  const mounts = objectsOf(container['Mounts']);
  const ownNames = whole ? names : names.filter((name) => !name.includes('/'));
  const command = textOf(container['Command']);
  const platform = objectOf(container['ImageManifestDescriptor'])['platform'];
  return new Fields('*formatter.ContainerContext', {
    ID: whole ? textOf(container['Id']) : shortId(textOf(container['Id'])),
    Names: ownNames.join(','),
    Image: imageOf(container, whole),
    Command: JSON.stringify(whole ? command : ellipsis(command, 20)),
    CreatedAt: formatMoment(created),
    RunningFor: `${formatElapsed(Date.now() / 1000 - created)} ago`,
    Ports: formatPorts(objectsOf(container['Ports'])),
    State: textOf(container['State']),
    Status: textOf(container['Status']),
    Size: sizeOf(container),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${textOf(value)}`)
      .join(','),
    Mounts: mounts.map((mount) => mountName(mount, whole)).join(','),
    LocalVolumes: String(mounts.filter(({ Driver }) => Driver === 'local').length),
    Networks: Object.keys(objectOf(objectOf(container['NetworkSettings'])['Networks'])).join(','),
    Platform: orderedPlatform(platform),
    Label: (name: unknown): string => textOf(labels[textOf(name)]),
  });
}

/** Platforms print in the order of their struct in Go. */
function orderedPlatform(platform: unknown): unknown {
  const { architecture, os, variant, ...more } = objectOf(platform);
  if (os === undefined) return null;
  return { architecture, os, ...more, ...(variant === undefined ? {} : { variant }) };
}

function imageOf(container: JsonObject, whole: boolean): string {
  const image = textOf(container['Image']);
  if (image === '') return '<no image>';
  if (whole) return image;
  const id = shortId(textOf(container['ImageID']));
  if (id !== '' && id === shortId(image)) return id;
  // A name that has moved on is shown with the digest that was meant.
  return image.replace(/^([^@]+:[^@/]+)@sha256:[0-9a-f]{64}$/, '$1').replace(/^([^@]+)@sha256:[0-9a-f]{64}$/, '$1');
}

function sizeOf(container: JsonObject): string {
  const root = numberOf(container['SizeRootFs']);
  const own = formatSize(numberOf(container['SizeRw']), 3);
  return root > 0 ? `${own} (virtual ${formatSize(root, 3)})` : own;
}

function mountName(mount: JsonObject, whole: boolean): string {
  const name = textOf(mount['Name']) || textOf(mount['Source']);
  return whole ? name : ellipsis(name, 15);
}
