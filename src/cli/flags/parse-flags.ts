import { checkValue } from './check-value.ts';
import type { Flag } from './flag.ts';
import { FlagValues } from './flag-values.ts';

/** A command line that cannot be understood; the message says why, as docker's client does. */
export class FlagError extends Error {
  override readonly name = 'FlagError';
}

/** A command line taken apart. */
export interface ParsedFlags {
  readonly values: FlagValues;
  readonly args: readonly string[];
}

/** Whether flags may come after arguments. */
export type FlagPlacement = 'anywhere' | 'first';

/**
 * Takes flags and arguments apart: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-abc`; `--` ends the flags. `--help` is
 * always known; so is `-h` where no flag has that letter, and its value is then `deprecated`.
 *
 * @throws {FlagError} for an unknown flag, a missing value and a value that does not fit.
 */
export function parseFlags(argv: readonly string[], flags: readonly Flag[], placement: FlagPlacement): ParsedFlags {
  const given = new Map<string, string[]>();
  const args: string[] = [];
  const rest = [...argv];
  const known = [...flags, helpFlag];
  while (rest.length > 0) {
    const word = rest.shift() ?? '';
    if (word === '--') {
      args.push(...rest);
      break;
    }
    if (word.startsWith('--')) takeLong(word, rest, known, given);
    else if (word.startsWith('-') && word !== '-') takeShort(word, rest, known, given);
    else {
      args.push(word);
      if (placement === 'anywhere') continue;
      args.push(...rest);
      break;
    }
  }
  return { values: new FlagValues(given), args };
}

const helpFlag: Flag = { name: 'help', type: 'bool', help: 'Print usage' };

function takeLong(word: string, rest: string[], known: readonly Flag[], given: Map<string, string[]>): void {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  if (name === '' || name.startsWith('-')) throw new FlagError(`bad flag syntax: ${word}`);
  const flag = known.find((candidate) => candidate.name === name);
  if (!flag) throw new FlagError(`unknown flag: --${name}`);
  if (equals >= 0) keep(flag, word.slice(equals + 1), given);
  else if (flag.type === 'bool') keep(flag, 'true', given);
  else {
    const value = rest.shift();
    if (value === undefined) throw new FlagError(`flag needs an argument: --${name}`);
    keep(flag, value, given);
  }
}

function takeShort(word: string, rest: string[], known: readonly Flag[], given: Map<string, string[]>): void {
  for (let at = 1; at < word.length; at++) {
    const letter = word[at] ?? '';
    const flag = known.find((candidate) => candidate.short === letter);
    const group = word.slice(at);
    if (!flag && letter === 'h') return keepHelp(given);
    if (!flag) throw new FlagError(`unknown shorthand flag: '${letter}' in -${group}`);
    if (group[1] === '=' && group.length > 2) return keep(flag, group.slice(2), given);
    if (flag.type === 'bool') {
      keep(flag, 'true', given);
      continue;
    }
    const value = group.length > 1 ? group.slice(1) : rest.shift();
    if (value === undefined) throw new FlagError(`flag needs an argument: '${letter}' in -${group}`);
    return keep(flag, value, given);
  }
}

function keepHelp(given: Map<string, string[]>): void {
  given.set(helpFlag.name, ['deprecated']);
}

function keep(flag: Flag, value: string, given: Map<string, string[]>): void {
  const problem = checkValue(flag, value);
  if (problem !== undefined) {
    const shown = flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
    throw new FlagError(`invalid argument ${JSON.stringify(value)} for "${shown}" flag: ${problem}`);
  }
  const values = flag.type === 'strings' ? value.split(',') : [value];
  given.set(flag.name, [...(given.get(flag.name) ?? []), ...values]);
}
