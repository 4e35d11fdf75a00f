/** A word of a template's action. `text` is its source; a blank before it matters only for fields. */
export interface Token {
  readonly kind: 'field' | 'dot' | 'variable' | 'word' | 'number' | 'string' | 'sign';
  readonly text: string;
  readonly at: number;
  readonly afterBlank: boolean;
}

/** A stretch of a template: text as it is, or the words between `{{` and `}}`. */
export type Stretch =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly tokens: readonly Token[]; readonly at: number };

/** A template that cannot be understood, in Go's words. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

const patterns: readonly (readonly [Token['kind'], RegExp])[] = [
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)+'/y],
  ['number', /[+-]?(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)/y],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\./y],
  ['sign', /:=|[=|(),]/y],
];

/** Takes a template apart. `name` stands in messages. @throws {TemplateError} */
export function scan(source: string, name: string): readonly Stretch[] {
  const stretches: Stretch[] = [];
  let trim = false;
  for (let at = 0; at < source.length;) {
    const open = source.indexOf('{{', at);
    const text = source.slice(at, open < 0 ? source.length : open);
    const trimEnd = open >= 0 && /^\{\{-\s/.test(source.slice(open, open + 4));
    const kept = trimEnd ? text.trimEnd() : text;
    stretches.push({ kind: 'text', text: trim ? kept.trimStart() : kept });
    if (open < 0) break;
    const comment = /\{\{(?:-\s+)?\/\*[^]*?\*\/(?<trim>\s+-)?\}\}/y;
    comment.lastIndex = open;
    const skipped = comment.exec(source);
    if (skipped) {
      trim = skipped.groups?.['trim'] !== undefined;
      at = comment.lastIndex;
      continue;
    }
    const action = scanAction(source, trimEnd ? open + 3 : open + 2, name);
    stretches.push({ kind: 'action', tokens: action.tokens, at: open });
    ({ end: at, trim } = action);
  }
  return stretches;
}

function scanAction(source: string, start: number, name: string): { tokens: Token[]; end: number; trim: boolean } {
  const tokens: Token[] = [];
  for (let at = start; ;) {
    const blank = /\s*/y;
    blank.lastIndex = at;
    const before = at;
    at += blank.exec(source)?.[0].length ?? 0;
    if (source.startsWith('}}', at)) return { tokens, end: at + 2, trim: false };
    if (at > before && source.startsWith('-}}', at)) return { tokens, end: at + 3, trim: true };
    if (at >= source.length) throw failure(source, name, at, 'unclosed action');
    const token = scanToken(source, at, at > before || at === start);
    if (!token) throw failure(source, name, at, badCharacter(source, at));
    tokens.push(token);
    at += token.text.length;
  }
}

function scanToken(source: string, at: number, afterBlank: boolean): Token | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text !== undefined) return { kind, text, at, afterBlank };
  }
  return undefined;
}

function badCharacter(source: string, at: number): string {
  const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
  if (character === '"') return 'unterminated quoted string';
  if (character === '`') return 'unterminated raw quoted string';
  if (character === "'") return 'unterminated character constant';
  if (character === '{' || character === '}') return `unexpected ${JSON.stringify(character)} in command`;
  const code = character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0') ?? '';
  return `unexpected bad character U+${code} '${character}' in command`;
}

/** Returns an error that names the template and the line. */
export function failure(source: string, name: string, at: number, what: string): TemplateError {
  const line = source.slice(0, at).split('\n').length;
  return new TemplateError(`template: ${name}:${line}: ${what}`);
}
