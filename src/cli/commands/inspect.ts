import { kindOf, messageOf } from '../../base/errors.ts';
import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { containerPath, imagePath } from '../each.ts';
import { flag, formatHelp } from '../flags/flag.ts';
import { indentJson } from '../format/indent-json.ts';
import { parseFormat } from '../format/list.ts';
import { runTemplate } from '../template/run-template.ts';
import type { Template } from '../template/parse.ts';
import { structured } from '../template/engine-types.ts';
import { platformQuery } from './push.ts';

/** `slipway inspect`: containers, images, networks and so on, whatever has the name. */
export const inspectCommand: Command = {
  names: ['inspect'],
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Return low-level information on Docker objects',
  flags: [
    flag('f', 'format', 'string', formatHelp),
    flag('s', 'size', 'bool', 'Display total file sizes if the type is container'),
    flag('', 'type', 'string', 'Only inspect objects of the given type'),
  ],
  count: { min: 1 },
  run: (invocation) => inspect(invocation, kindsFor(invocation.flags.string('type'))),
};

/** `slipway container inspect`. */
export const containerInspectCommand: Command = {
  names: ['container inspect'],
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Display detailed information on one or more containers',
  flags: [flag('f', 'format', 'string', formatHelp), flag('s', 'size', 'bool', 'Display total file sizes')],
  count: { min: 1 },
  run: (invocation) => inspect(invocation, ['container']),
};

/** `slipway image inspect`. */
export const imageInspectCommand: Command = {
  names: ['image inspect'],
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Display detailed information on one or more images',
  flags: [
    flag('f', 'format', 'string', formatHelp),
    flag(
      '',
      'platform',
      'string',
      `Inspect a specific platform of the multi-platform image.
If the image or the server is not multi-platform capable, the command will error out if the platform does not match.
'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)`,
    ),
  ],
  count: { min: 1 },
  run: (invocation) => inspect(invocation, ['image']),
};

type Kind = 'container' | 'image' | 'network' | 'volume' | 'service' | 'task' | 'node' | 'plugin' | 'secret' | 'config';

const kinds: readonly Kind[] = [
  'container',
  'image',
  'network',
  'volume',
  'service',
  'task',
  'node',
  'plugin',
  'secret',
  'config',
];

/** Swarm's objects cannot be here, and are not asked for unless the user does. */
const local: readonly Kind[] = ['container', 'image', 'network', 'volume', 'plugin'];

function kindsFor(type: string): readonly Kind[] {
  if (type === '') return local;
  const kind = kinds.find((candidate) => candidate === type);
  if (kind) return [kind];
  const known = kinds
    .toSorted()
    .map((name) => JSON.stringify(name))
    .join(', ');
  throw new CommandError(`unknown type: ${JSON.stringify(type)}: must be one of ${known}`);
}

async function inspect(invocation: Invocation, wanted: readonly Kind[]): Promise<number> {
  const { session, flags, args } = invocation;
  const format = flags.string('format');
  const template = format === '' || format === 'json' ? undefined : parseFormat(format, 'template parsing error', 64);
  const found: string[] = [];
  const problems: string[] = [];
  for (const name of args) {
    try {
      const json = await find(invocation, name, wanted);
      found.push(template ? execute(template, json) : json);
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  session.print(template ? formatTexts(found) : formatObjects(found, format));
  if (problems.length > 0) throw new CommandError(problems.join('\n'));
  return 0;
}

function formatTexts(texts: readonly string[]): string {
  return texts.length === 0 ? '\n' : texts.map((text) => `${text}\n`).join('');
}

function formatObjects(objects: readonly string[], format: string): string {
  if (format === 'json') return objects.length === 0 ? '[]\n' : `[${objects.map((json) => json.trim()).join(',')}]\n`;
  return objects.length === 0 ? '[]\n' : `${indentJson(`[${objects.join(',')}]`)}\n`;
}

function execute(template: Template, json: string): string {
  try {
    return runTemplate(template, structured(JSON.parse(json)), { missingKey: 'error' });
  } catch (error) {
    throw new CommandError(`template parsing error: ${messageOf(error)}`, 1, { cause: error });
  }
}

async function find({ session, flags }: Invocation, name: string, wanted: readonly Kind[]): Promise<string> {
  for (const kind of wanted) {
    try {
      const query = kind === 'container' ? { size: flags.bool('size') } : {};
      const platform = kind === 'image' ? platformQuery(flags.string('platform')) : '';
      return await session.engine.text('GET', pathOf(kind, name), { query: { ...query, platform } });
    } catch (error) {
      if (wanted.length === 1 || kindOf(error) !== 'notFound') throw error;
    }
  }
  throw new CommandError(`Error: No such object: ${name}`);
}

function pathOf(kind: Kind, name: string): string {
  const encoded = encodeURIComponent(name);
  if (kind === 'container') return containerPath(name, '/json');
  if (kind === 'image') return imagePath(name, '/json');
  return kind === 'plugin' ? `/plugins/${name}/json` : `/${kind}s/${encoded}`;
}
