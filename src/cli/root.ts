import { clientVersion, programName } from './command-error.ts';
import { formatFlags } from './help.ts';
import { flag, type Flag } from './flags/flag.ts';
import { commands } from './verbs.ts';

/** What follows "Usage:" when the program's own flags are wrong. */
export const rootUsage = '[OPTIONS] COMMAND [ARG...]';

const configDirectory = `${process.env['DOCKER_CONFIG'] || `${process.env['HOME'] || ''}/.docker`}`;

/** The flags before the command. */
export const rootFlags: readonly Flag[] = [
  flag('', 'config', 'string', `Location of client config files (default "${configDirectory}")`),
  flag('D', 'debug', 'bool', 'Enable debug mode'),
  flag('H', 'host', 'string', 'Daemon socket to connect to (default SLIPWAY_HOST, then DOCKER_HOST)'),
  flag(
    'l',
    'log-level',
    'string',
    'Set the logging level ("debug", "info", "warn", "error", "fatal") (default "info")',
  ),
  flag('v', 'version', 'bool', 'Print version information and quit'),
];

const common = 'run exec ps pull push images login logout search version info'.split(' ');
const own = 'log diff rollback'.split(' ');
const groups: Readonly<Record<string, string>> = {
  container: 'Manage containers',
  image: 'Manage images',
  system: 'Manage Docker',
};

/** Returns the first page of help. */
export function rootHelp(width: number): string {
  const single = commands.flatMap(({ names, summary }) =>
    names.filter((name) => !name.includes(' ')).map((name) => [name, firstLine(summary)] as const),
  );
  const pick = (names: readonly string[]): (readonly [string, string])[] =>
    names.flatMap((name) => single.filter(([candidate]) => candidate === name));
  const rest = single
    .filter(([name]) => !common.includes(name) && !own.includes(name))
    .toSorted(([left], [right]) => (left < right ? -1 : 1));
  const servers = [
    ['daemon', 'The engine: images and containers behind the Engine API'],
    ['hub', 'The registry and its site'],
  ] as const;
  return [
    `Usage:  ${programName} [OPTIONS] COMMAND`,
    'Container images with a history: built, stored, shared and run',
    `Common Commands:\n${formatRows(pick(common))}`,
    `Image History:\n${formatRows(pick(own))}`,
    `Management Commands:\n${formatRows(Object.entries(groups))}`,
    `Commands:\n${formatRows(rest)}`,
    `Servers:\n${formatRows(servers)}`,
    `Global Options:\n${formatFlags(rootFlags, width)}`,
    `Run '${programName} COMMAND --help' for more information on a command.\n`,
  ].join('\n\n');
}

/** Returns the help page of `container`, `image` or `system`. */
export function groupHelp(group: string): string {
  const rows = commands.flatMap(({ names, summary }) => {
    const name = names.find((candidate) => candidate.startsWith(`${group} `));
    return name === undefined ? [] : [[name.slice(group.length + 1), firstLine(summary)] as const];
  });
  const sorted = rows.toSorted(([left], [right]) => (left < right ? -1 : 1));
  return [
    `Usage:  ${programName} ${group} COMMAND`,
    groups[group] ?? '',
    `Commands:\n${formatRows(sorted)}`,
    `Run '${programName} ${group} COMMAND --help' for more information on a command.\n`,
  ].join('\n\n');
}

/** Returns what `--version` prints. */
export function versionLine(): string {
  return `Slipway version ${clientVersion}, build \n`;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function formatRows(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(11, ...rows.map(([name]) => name.length));
  return rows.map(([name, summary]) => `  ${name.padEnd(width)} ${summary}`).join('\n');
}
