import type { Branches, Node, Operand, PathBase, Pipeline } from './nodes.ts';
import { failure, scan, type Stretch, type TemplateError, type Token } from './scan.ts';

/** A template ready to be run. */
export interface Template {
  readonly name: string;
  readonly source: string;
  readonly nodes: readonly Node[];
}

/**
 * Parses a template in the language of Go's text/template, without definitions of further templates.
 *
 * @throws {TemplateError}
 */
export function parseTemplate(source: string, functions: ReadonlySet<string>, name = ''): Template {
  return new Parser(source, name, functions).template();
}

const keywords = new Set(['if', 'else', 'end', 'range', 'with', 'break', 'continue', 'define', 'template', 'block']);

class Parser {
  readonly #source: string;
  readonly #name: string;
  readonly #functions: ReadonlySet<string>;
  readonly #stretches: readonly Stretch[];
  #next = 0;
  /** Where the parser is, for messages. */
  #at = 0;
  readonly #variables: string[] = ['$'];

  constructor(source: string, name: string, functions: ReadonlySet<string>) {
    this.#source = source;
    this.#name = name;
    this.#functions = functions;
    this.#stretches = scan(source, name);
  }

  template(): Template {
    const { nodes, ending } = this.#block();
    if (ending) throw this.#failure(`unexpected {{${ending[0]?.text ?? ''}}}`);
    return { name: this.#name, source: this.#source, nodes };
  }

  /** Reads up to `else` or `end`, whose words are returned. */
  #block(): { nodes: readonly Node[]; ending?: readonly Token[] } {
    const nodes: Node[] = [];
    for (;;) {
      const stretch = this.#stretches[this.#next++];
      if (!stretch) return { nodes };
      if (stretch.kind === 'text') {
        if (stretch.text !== '') nodes.push(stretch);
        continue;
      }
      this.#at = stretch.at;
      const first = stretch.tokens[0];
      if (first?.kind === 'word' && keywords.has(first.text)) {
        if (first.text === 'else' || first.text === 'end') return { nodes, ending: stretch.tokens };
        nodes.push(this.#control(first.text, stretch.tokens.slice(1)));
      } else {
        const pipeline = this.#pipeline(stretch.tokens, 'command');
        nodes.push({ kind: 'output', pipeline });
      }
    }
  }

  #control(verb: string, tokens: readonly Token[]): Node {
    if (verb === 'break' || verb === 'continue') return { kind: 'jump', verb };
    if (verb !== 'if' && verb !== 'with' && verb !== 'range') throw this.#failure(`unexpected {{${verb}}}`);
    const depth = this.#variables.length;
    const pipeline = this.#pipeline(tokens, verb);
    const branches = this.#branches();
    this.#variables.length = depth;
    return { kind: 'branch', verb, pipeline, ...branches };
  }

  #branches(): Branches {
    const then = this.#block();
    if (!then.ending) throw this.#failure('unexpected EOF');
    if (then.ending[0]?.text === 'end') return { body: then.nodes, otherwise: [] };
    const second = then.ending[1];
    if (second) return { body: then.nodes, otherwise: [this.#control(second.text, then.ending.slice(2))] };
    const otherwise = this.#block();
    if (!otherwise.ending) throw this.#failure('unexpected EOF');
    if (otherwise.ending[0]?.text !== 'end') throw this.#failure('expected end; found {{else}}');
    return { body: then.nodes, otherwise: otherwise.nodes };
  }

  #pipeline(tokens: readonly Token[], context: string): Pipeline {
    const { variables, assigns, rest } = this.#declaration(tokens, context);
    const commands: Operand[][] = [];
    const words = [...rest];
    for (;;) {
      commands.push(this.#command(words, context));
      const sign = words.shift();
      if (!sign) break;
      if (sign.text !== '|') throw this.#failure(`unexpected ${JSON.stringify(sign.text)} in ${context}`);
      if (words.length === 0) throw this.#failure(`missing value for ${context}`);
    }
    for (const command of commands.slice(1)) {
      const [first] = command;
      if (first?.kind === 'constant') throw this.#failure(`non executable command in pipeline stage 2`);
    }
    if (!assigns) this.#variables.push(...variables);
    return { variables, assigns, commands };
  }

  #declaration(
    tokens: readonly Token[],
    context: string,
  ): { variables: string[]; assigns: boolean; rest: readonly Token[] } {
    const sign = tokens.findIndex(({ text, kind }) => kind === 'sign' && (text === ':=' || text === '='));
    if (sign < 0 || tokens[0]?.kind !== 'variable') return { variables: [], assigns: false, rest: tokens };
    const variables = tokens
      .slice(0, sign)
      .filter(({ kind }) => kind === 'variable')
      .map(({ text }) => text);
    if (variables.length > (context === 'range' ? 2 : 1)) throw this.#failure(`too many declarations in ${context}`);
    return { variables, assigns: tokens[sign]?.text === '=', rest: tokens.slice(sign + 1) };
  }

  /** Reads operands up to `|`, `)` or the end. */
  #command(words: Token[], context: string): Operand[] {
    const operands: Operand[] = [];
    for (let [word] = words; word && !(word.kind === 'sign' && word.text !== '('); [word] = words) {
      operands.push(this.#operand(words, context));
    }
    if (operands.length === 0) {
      const [word] = words;
      throw this.#failure(
        word ? `unexpected ${JSON.stringify(word.text)} in ${context}` : `missing value for ${context}`,
      );
    }
    return operands;
  }

  #operand(words: Token[], context: string): Operand {
    const word = words.shift();
    if (!word) throw this.#failure(`missing value for ${context}`);
    const { kind, text, at } = word;
    if (kind === 'string') return { kind: 'constant', value: unquote(text), at, source: text };
    if (kind === 'number') return { kind: 'constant', value: Number(text), at, source: text };
    if (kind === 'word') return this.#word(text, at);
    return this.#path(word, words, context);
  }

  #word(text: string, at: number): Operand {
    if (text === 'true' || text === 'false') return { kind: 'constant', value: text === 'true', at, source: text };
    if (text === 'nil') return { kind: 'constant', value: null, at, source: text };
    if (!this.#functions.has(text)) throw this.#failure(`function ${JSON.stringify(text)} not defined`);
    return { kind: 'function', name: text, at };
  }

  #path(word: Token, words: Token[], context: string): Operand {
    const fields: string[] = [];
    let base: PathBase = { kind: 'dot' };
    if (word.kind === 'variable') {
      if (!this.#variables.includes(word.text)) throw this.#failure(`undefined variable ${JSON.stringify(word.text)}`);
      base = { kind: 'variable', name: word.text };
    } else if (word.kind === 'sign') base = { kind: 'pipeline', pipeline: this.#parenthesis(words, context) };
    else if (word.kind === 'field') fields.push(word.text.slice(1));
    // Go files a chain of fields under its second one.
    let { at } = word;
    for (let [next] = words; next?.kind === 'field' && !next.afterBlank; [next] = words) {
      if (fields.length === (word.kind === 'field' ? 1 : 0)) ({ at } = next);
      fields.push(next.text.slice(1));
      words.shift();
    }
    return { kind: 'path', base, fields, at };
  }

  #parenthesis(words: Token[], context: string): Pipeline {
    let depth = 1;
    const end = words.findIndex(({ kind, text }) => {
      if (kind === 'sign' && text === '(') depth++;
      if (kind === 'sign' && text === ')') depth--;
      return depth === 0;
    });
    if (end < 0) throw this.#failure('unclosed left paren');
    const inner = words.splice(0, end + 1).slice(0, -1);
    return this.#pipeline(inner, context === 'command' ? 'parenthesized pipeline' : context);
  }

  #failure(what: string): TemplateError {
    return failure(this.#source, this.#name, this.#at, what);
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };

function unquote(text: string): string | number {
  const inner = text.slice(1, -1);
  if (text.startsWith('`')) return inner;
  const value = inner.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/gs, (_, hex, unicode, letter) => {
    const code: unknown = hex ?? unicode;
    if (typeof code === 'string') return String.fromCharCode(Number.parseInt(code, 16));
    return escapes[String(letter)] ?? String(letter);
  });
  return text.startsWith("'") ? (value.codePointAt(0) ?? 0) : value;
}
