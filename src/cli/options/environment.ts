import { readFileSync } from 'node:fs';
import { errorCode } from '../../base/errors.ts';
import { CommandError } from '../command-error.ts';

/**
 * Returns the variables of `--env-file` and `--env`, in this order. A name without a value takes the client's own, and is left out of a
 * file where the client has none.
 *
 * @throws {CommandError} for a file that cannot be read or has a line that is none.
 */
export function readEnvironment(
  files: readonly string[],
  values: readonly string[],
  own: NodeJS.ProcessEnv,
): readonly string[] {
  const ofFiles = files.flatMap((file) =>
    readLines(file, 'variable').filter((line) => line.includes('=') || own[line] !== undefined),
  );
  return [...ofFiles, ...values].map((line) => {
    const value = line.includes('=') ? undefined : own[line];
    return value === undefined ? line : `${line}=${value}`;
  });
}

/** Returns the labels of `--label-file` and `--label`. @throws {CommandError} as {@link readEnvironment}. */
export function readLabels(files: readonly string[], values: readonly string[]): Readonly<Record<string, string>> {
  return keyValues([...files.flatMap((file) => readLines(file, 'label')), ...values]);
}

/** Takes `key=value` texts apart; a missing value is empty. */
export function keyValues(values: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    values.map((value) => {
      const equals = value.indexOf('=');
      return equals < 0 ? [value, ''] : [value.slice(0, equals), value.slice(equals + 1)];
    }),
  );
}

/** Returns the text of a file the user named. @throws {CommandError} in Go's words. */
export function readUserFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`open ${file}: ${reasonOf(error)}`, 1, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  switch (errorCode(error)) {
    case 'ENOENT':
      return 'no such file or directory';
    case 'EACCES':
      return 'permission denied';
    case 'EISDIR':
      return 'is a directory';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

function readLines(file: string, what: string): string[] {
  const lines: string[] = [];
  for (const raw of readUserFile(file)
    .replace(/^\uFEFF/, '')
    .split('\n')) {
    const line = raw.replace(/\r$/, '').trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const name = line.split('=', 1)[0] ?? '';
    if (name === '') throw new CommandError(`invalid env file (${file}): no variable name on line '${line}'`);
    if (/\s/.test(name)) {
      throw new CommandError(`invalid env file (${file}): ${what} '${name}' contains whitespaces`);
    }
    lines.push(line);
  }
  return lines;
}
