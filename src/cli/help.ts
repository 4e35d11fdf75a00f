import type { Command } from './command.ts';
import { programName } from './command-error.ts';
import type { Flag } from './flags/flag.ts';

/** Returns the help page of a command called by one of its names. */
export function commandHelp(command: Command, name: string, width: number): string {
  const usage = command.usage === '' ? '' : ` ${command.usage}`;
  const parts = [`Usage:  ${programName} ${name}${usage}`, command.summary];
  if (command.aliases) {
    parts.push(`Aliases:\n  ${command.aliases.map((alias) => `${programName} ${alias}`).join(', ')}`);
  }
  const flags = formatFlags(command.flags, width);
  if (flags !== '') parts.push(`Options:\n${flags}`);
  return `${parts.join('\n\n')}\n`;
}

/** Returns one line per flag, help texts wrapped to the width. */
export function formatFlags(flags: readonly Flag[], width: number): string {
  const shown = flags.filter(({ hidden }) => hidden !== true);
  const sorted = shown.toSorted((left, right) => compare(left.name, right.name));
  const rows = sorted.map(({ short, name, type, help }) => {
    const letter = short === undefined ? '    ' : `-${short}, `;
    return [`  ${letter}--${name}${type === 'bool' ? '' : ` ${type}`}`, help] as const;
  });
  const indent = Math.max(0, ...rows.map(([left]) => left.length)) + 3;
  return rows.map(([left, help]) => left.padEnd(indent) + wrapText(help, indent, width - 1)).join('\n');
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

const narrowest = 24;
const slack = 5;

/**
 * Wraps text between an indentation and a width, breaking at blanks. The last line may be a little longer, so that no short word stands
 * alone; text too narrow to be wrapped moves to lines of its own.
 */
export function wrapText(text: string, indentation: number, width: number): string {
  const moved = width - indentation < narrowest;
  const indent = moved ? 16 : indentation;
  const margin = `\n${' '.repeat(indent)}`;
  if (width - indent < narrowest) return text;
  const lines: string[] = [];
  let rest = text;
  do {
    const end = lineEnd(rest, width - indent - slack);
    lines.push(rest.slice(0, end).replaceAll('\n', margin));
    rest = rest.slice(end + 1);
  } while (rest !== '');
  return (moved ? margin : '') + lines.join(margin);
}

function lineEnd(text: string, room: number): number {
  if (room + slack > text.length) return text.length;
  const head = text.slice(0, room);
  const blank = Math.max(head.lastIndexOf(' '), head.lastIndexOf('\t'), head.lastIndexOf('\n'));
  if (blank <= 0) return text.length;
  const newline = head.lastIndexOf('\n');
  return newline > 0 && newline < blank ? newline : blank;
}
