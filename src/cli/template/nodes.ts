/** A piece of a parsed template. `at` is where it stands in the source. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly pipeline: Pipeline }
  | ({ readonly kind: 'branch'; readonly verb: 'if' | 'with' | 'range'; readonly pipeline: Pipeline } & Branches)
  | { readonly kind: 'jump'; readonly verb: 'break' | 'continue' };

/** The two ways of an `if`, `with` or `range`. */
export interface Branches {
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}

/** Commands whose results go from one to the next, and the variables that take the last one. */
export interface Pipeline {
  readonly variables: readonly string[];
  /** `=` changes variables, `:=` makes them. */
  readonly assigns: boolean;
  readonly commands: readonly (readonly Operand[])[];
}

/** A value, or something that gives one. */
export type Operand =
  | {
      readonly kind: 'constant';
      readonly value: string | number | boolean | null;
      readonly at: number;
      readonly source: string;
    }
  | { readonly kind: 'function'; readonly name: string; readonly at: number }
  | { readonly kind: 'path'; readonly base: PathBase; readonly fields: readonly string[]; readonly at: number };

/** Where a path of fields begins. */
export type PathBase =
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline };

/** Returns an operand as it would be written, for messages. */
export function formatOperand(operand: Operand): string {
  switch (operand.kind) {
    case 'constant':
      return operand.source;
    case 'function':
      return operand.name;
    case 'path': {
      const fields = operand.fields.map((field) => `.${field}`).join('');
      if (operand.base.kind === 'dot') return fields || '.';
      if (operand.base.kind === 'variable') return operand.base.name + fields;
      return `(${formatPipeline(operand.base.pipeline)})${fields}`;
    }
  }
}

/** Returns a command as it would be written. */
export function formatCommand(command: readonly Operand[]): string {
  return command.map(formatOperand).join(' ');
}

function formatPipeline({ commands }: Pipeline): string {
  return commands.map(formatCommand).join(' | ');
}
