import { CommandError } from '../command-error.ts';
import { functionNames } from '../template/functions.ts';
import { parseTemplate, type Template } from '../template/parse.ts';
import { runTemplate } from '../template/run-template.ts';
import { TemplateError } from '../template/scan.ts';
import type { Fields } from '../template/values.ts';
import { tabulate } from './tabulate.ts';

/** Rows to be shown. */
export interface List {
  /** As given with `--format`; `table` alone is the default table. */
  readonly format: string;
  /** The template of the default table, without `table`. */
  readonly defaultTable: string;
  /** What stands above the columns, by field. */
  readonly headers: Readonly<Record<string, string>>;
  readonly rows: readonly Fields[];
}

const headerFunctions = Object.fromEntries(
  ['json', 'split', 'join', 'title', 'lower', 'upper', 'pad', 'truncate'].map((name) => [
    name,
    (...values: readonly unknown[]): unknown => values[0],
  ]),
);

/**
 * Returns the rows in the format asked for: a table with a header, JSON per line, or a template per row.
 *
 * @throws {CommandError} for a template that is wrong.
 */
export function formatList({ format, defaultTable, headers, rows }: List): string {
  const isTable = format.startsWith('table');
  const own = isTable ? trimBlanks(format.slice('table'.length)) : trimBlanks(format);
  const source = format === 'json' ? '{{json .}}' : own.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  const template = parseFormat(isTable && own === '' ? defaultTable : source, 'template parsing error');
  try {
    const lines = rows.map((row) => `${runTemplate(template, row)}\n`);
    if (!isTable) return lines.join('');
    const header = runTemplate(template, headers, { functions: headerFunctions });
    return tabulate(`${header}\n${lines.join('')}`);
  } catch (error) {
    throw templateFailure(error, 'template parsing error');
  }
}

function trimBlanks(text: string): string {
  return text.replace(/^ +| +$/g, '');
}

/**
 * Parses a template of the user's; `prefix` begins the message.
 *
 * @throws {CommandError} with exit code `exitCode`.
 */
export function parseFormat(source: string, prefix: string, exitCode = 1, name = ''): Template {
  try {
    return parseTemplate(source, functionNames, name);
  } catch (error) {
    throw templateFailure(error, prefix, exitCode);
  }
}

/** Returns the failure of a template as the command's. */
export function templateFailure(error: unknown, prefix: string, exitCode = 1): unknown {
  if (!(error instanceof TemplateError)) return error;
  const text = prefix === '' ? error.message : `${prefix}: ${error.message}`;
  return new CommandError(text, exitCode, { cause: error });
}
