import { formatCommand, formatOperand, type Node, type Operand, type Pipeline } from './nodes.ts';
import { templateFunctions, type TemplateFunction } from './functions.ts';
import type { Template } from './parse.ts';
import { TemplateError } from './scan.ts';
import { Fields, formatValue, isTrue, sortedEntries, typeOf } from './values.ts';

/** What a map without the key gives: a failure (as `inspect` wants it) or `<no value>`. */
export type MissingKey = 'error' | 'no value';

/** How a template is run. */
export interface RunOptions {
  readonly missingKey?: MissingKey;
  /** Functions that stand for others, as header lines need. */
  readonly functions?: Readonly<Record<string, TemplateFunction>>;
}

/**
 * Runs a template over a value.
 *
 * @throws {TemplateError} in Go's words.
 */
export function runTemplate(template: Template, value: unknown, options: RunOptions = {}): string {
  const run = new Run(template, options);
  run.nodes(template.nodes, value, [['$', value]]);
  return run.output;
}

type Variables = [string, unknown][];
type Jump = 'break' | 'continue' | undefined;

const noValue = Symbol('no value');

class Run {
  output = '';
  readonly #template: Template;
  readonly #missingKey: MissingKey;
  readonly #functions: Readonly<Record<string, TemplateFunction>>;

  constructor(template: Template, options: RunOptions) {
    this.#template = template;
    this.#missingKey = options.missingKey ?? 'no value';
    this.#functions = { ...templateFunctions, ...options.functions };
  }

  nodes(nodes: readonly Node[], dot: unknown, variables: Variables): Jump {
    for (const node of nodes) {
      if (node.kind === 'text') this.output += node.text;
      else if (node.kind === 'jump') return node.verb;
      else if (node.kind === 'branch') {
        const jump = this.#branch(node, dot, [...variables]);
        if (jump) return jump;
      } else {
        const value = this.#pipeline(node.pipeline, dot, variables);
        if (node.pipeline.variables.length === 0) this.output += value === noValue ? '<no value>' : shown(value);
      }
    }
    return undefined;
  }

  #branch(node: Extract<Node, { kind: 'branch' }>, dot: unknown, variables: Variables): Jump {
    const { verb, pipeline, body, otherwise } = node;
    if (verb === 'range') return this.#range(node, dot, variables);
    const value = plain(this.#pipeline(pipeline, dot, variables));
    if (isTrue(value)) return this.nodes(body, verb === 'with' ? value : dot, variables);
    return this.nodes(otherwise, dot, variables);
  }

  #range(node: Extract<Node, { kind: 'branch' }>, dot: unknown, variables: Variables): Jump {
    const [first, second] = node.pipeline.variables;
    const value = plain(this.#pipeline({ ...node.pipeline, variables: [] }, dot, variables));
    const entries = this.#entries(value, node.pipeline);
    if (entries.length === 0) return this.nodes(node.otherwise, dot, variables);
    for (const [key, item] of entries) {
      const inner = [...variables];
      if (first !== undefined) inner.push([first, second === undefined ? item : key]);
      if (second !== undefined) inner.push([second, item]);
      if (this.nodes(node.body, item, inner) === 'break') break;
    }
    return undefined;
  }

  #entries(value: unknown, pipeline: Pipeline): (readonly [unknown, unknown])[] {
    if (value === null || value === undefined) return [];
    if (Array.isArray(value)) return value.map((item: unknown, at) => [at, item] as const);
    if (typeof value === 'number') return Array.from({ length: value }, (_, at) => [at, at] as const);
    if (typeof value === 'object' && !(value instanceof Fields)) return sortedEntries(value);
    const last = pipeline.commands.at(-1)?.[0];
    throw this.#failure(last, `range can't iterate over ${formatValue(value)}`);
  }

  #pipeline({ commands, variables: names, assigns }: Pipeline, dot: unknown, variables: Variables): unknown {
    let value: unknown = noValue;
    commands.forEach((command, stage) => {
      value = this.#command(command, dot, variables, stage === 0 ? [] : [plain(value)]);
    });
    for (const name of names) {
      const known = assigns ? variables.findLast(([candidate]) => candidate === name) : undefined;
      if (known) known[1] = plain(value);
      else variables.push([name, plain(value)]);
    }
    return value;
  }

  #command(command: readonly Operand[], dot: unknown, variables: Variables, piped: readonly unknown[]): unknown {
    const [first, ...rest] = command;
    if (!first) return noValue;
    if (first.kind === 'function') return this.#call(first, command, dot, variables, piped);
    const value = this.#operand(first, dot, variables);
    const args = [...rest.map((operand) => plain(this.#operand(operand, dot, variables))), ...piped];
    if (typeof value === 'function') return (value as TemplateFunction)(...args);
    if (args.length > 0) {
      const what = first.kind === 'path' ? (first.fields.at(-1) ?? '.') : formatOperand(first);
      throw this.#failure(first, `${what} has arguments but cannot be invoked as function`);
    }
    return value;
  }

  #call(
    { name, at }: Extract<Operand, { kind: 'function' }>,
    command: readonly Operand[],
    dot: unknown,
    variables: Variables,
    piped: readonly unknown[],
  ): unknown {
    const rest = command.slice(1);
    if (name === 'and' || name === 'or') {
      const lazy = [
        ...rest.map((operand) => () => plain(this.#operand(operand, dot, variables))),
        ...piped.map((value) => () => value),
      ];
      let value: unknown;
      for (const next of lazy) {
        value = next();
        if (isTrue(value) === (name === 'or')) break;
      }
      return value;
    }
    const args = [...rest.map((operand) => plain(this.#operand(operand, dot, variables))), ...piped];
    const callee = this.#functions[name];
    if (!callee) throw this.#failure(undefined, `${JSON.stringify(name)} is not a defined function`);
    try {
      return callee(...args);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw this.#failureAt(at, formatCommand(command), `error calling ${name}: ${reason}`);
    }
  }

  #operand(operand: Operand, dot: unknown, variables: Variables): unknown {
    if (operand.kind === 'constant') return operand.value;
    if (operand.kind === 'function') return this.#call(operand, [operand], dot, variables, []);
    const { base, fields } = operand;
    let value = dot;
    if (base.kind === 'variable') value = variables.findLast(([name]) => name === base.name)?.[1];
    if (base.kind === 'pipeline') value = plain(this.#pipeline(base.pipeline, dot, variables));
    fields.forEach((field, at) => {
      value = this.#field(operand, value, field);
      if (typeof value === 'function' && at < fields.length - 1) value = (value as TemplateFunction)();
    });
    return value;
  }

  #field(operand: Operand, from: unknown, name: string): unknown {
    const value = plain(from);
    if (value instanceof Fields) {
      if (value.has(name)) return value.get(name);
    } else if (value === null || value === undefined) {
      if (this.#missingKey === 'error') throw this.#failure(operand, `nil pointer evaluating interface {}.${name}`);
      return noValue;
    } else if (typeof value === 'object' && !Array.isArray(value)) {
      if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name];
      if (this.#missingKey === 'no value') return noValue;
      throw this.#failure(operand, `map has no entry for key ${JSON.stringify(name)}`);
    }
    throw this.#failure(operand, `can't evaluate field ${name} in type ${typeOf(value)}`);
  }

  #failure(operand: Operand | undefined, what: string): TemplateError {
    return this.#failureAt(operand?.at ?? 0, operand ? formatOperand(operand) : '', what);
  }

  #failureAt(at: number, context: string, what: string): TemplateError {
    const { name, source } = this.#template;
    const before = source.slice(0, at);
    const line = before.split('\n').length;
    const column = at - (before.lastIndexOf('\n') + 1);
    const shortened = context.length > 20 ? `${context.slice(0, 20)}...` : context;
    const place = `template: ${name}:${line}:${column}: executing ${JSON.stringify(name)} at <${shortened}>`;
    return new TemplateError(`${place}: ${what}`);
  }
}

function plain(value: unknown): unknown {
  return value === noValue ? undefined : value;
}

function shown(value: unknown): string {
  return value === undefined ? '<no value>' : formatValue(value);
}
