/** What a flag's value is, by the name that help pages show for it. `bool` has no name there, and no separate value. */
export type FlagType =
  | 'bool'
  | 'bytes'
  | 'decimal'
  | 'duration'
  | 'filter'
  | 'gpu-request'
  | 'int'
  | 'list'
  | 'map'
  | 'mount'
  | 'network'
  | 'string'
  | 'strings'
  | 'uint16'
  | 'ulimit';

/** One flag of a command. */
export interface Flag {
  readonly short?: string;
  readonly name: string;
  readonly type: FlagType;
  /** What help pages say, the default included. */
  readonly help: string;
  /** Taken, but not shown. */
  readonly hidden?: boolean;
  /** Returns what is wrong with a value, or `undefined`. */
  readonly check?: (value: string) => string | undefined;
}

/** Describes a flag; `short` is empty where there is no letter for it. */
export function flag(short: string, name: string, type: FlagType, help: string, check?: Flag['check']): Flag {
  return { name, type, help, ...(short === '' ? {} : { short }), ...(check === undefined ? {} : { check }) };
}

/** Describes a flag that help pages do not show. */
export function hiddenFlag(name: string, type: FlagType, check?: Flag['check']): Flag {
  return { name, type, help: '', hidden: true, ...(check === undefined ? {} : { check }) };
}

const templateHelp = `'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`;

/** What `--format` says where there is no table. */
export const formatHelp: string = `Format output using a custom template:
'json':             Print in JSON format
${templateHelp}`;

/** What `--format` says where the output is a table. */
export const tableFormatHelp: string = `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
${templateHelp}`;
