import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { EngineError, messageOf } from '../base/errors.ts';

/** One flag of a server command: how it is shown, and whether it can be repeated. */
export interface FlagDescription {
  readonly short?: string;
  readonly value: string;
  readonly repeatable?: boolean;
  readonly help: string;
}

/**
 * Reads flags strictly.
 *
 * @throws {EngineError} invalidArgument naming the flag at fault.
 */
export function readFlags(
  argv: readonly string[],
  flags: Readonly<Record<string, FlagDescription>>,
): { readonly help: boolean; readonly values: Readonly<Record<string, string | readonly string[]>> } {
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } };
  for (const [name, { short, repeatable = false }] of Object.entries(flags)) {
    options[name] = { type: 'string', multiple: repeatable, ...(short === undefined ? {} : { short }) };
  }
  try {
    const { values } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: false });
    const { help, ...given } = values;
    return { help: help === true, values: given as Record<string, string | string[]> };
  } catch (error) {
    throw new EngineError('invalidArgument', messageOf(error), { cause: error });
  }
}

/** Returns the help page of a server command. */
export function flagHelp(usage: string, what: string, flags: Readonly<Record<string, FlagDescription>>): string {
  const rows = Object.entries(flags).map(([name, { short, value, help }]) => [
    `  ${short === undefined ? '    ' : `-${short}, `}--${name} ${value}`,
    help,
  ]);
  const width = Math.max(...rows.map(([flag = '']) => flag.length)) + 3;
  const lines = rows.map(([flag = '', help = '']) => `${flag.padEnd(width)}${help}`);
  return `Usage:  ${usage}\n\n${what}\n\nOptions:\n${lines.join('\n')}\n`;
}
