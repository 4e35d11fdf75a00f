import { printf } from './printf.ts';
import { Fields, formatJson, formatValue, isTrue, typeOf } from './values.ts';

/** A function that templates can call. Throws `Error` with Go's words. */
export type TemplateFunction = (...values: readonly unknown[]) => unknown;

const comparable = new Set(['string', 'number', 'boolean']);

function compare(left: unknown, right: unknown): number {
  if (typeof left !== typeof right || !comparable.has(typeof left) || typeof left === 'boolean') {
    throw new Error(typeof left === 'boolean' ? 'invalid type for comparison' : 'incompatible types for comparison');
  }
  const [first, second] = [left as string, right as string];
  return first < second ? -1 : Number(first > second);
}

function equal(left: unknown, ...others: readonly unknown[]): boolean {
  if (others.length === 0) throw new Error('missing argument for comparison');
  return others.some((other) => {
    if (typeof left === 'object' && left !== null) throw new Error('non-comparable type');
    if (other !== null && left !== null && typeof left !== typeof other) {
      throw new Error('incompatible types for comparison');
    }
    return left === other;
  });
}

function index(value: unknown, ...keys: readonly unknown[]): unknown {
  let found = value;
  for (const key of keys) {
    if (found === null || found === undefined) throw new Error('index of untyped nil');
    if (Array.isArray(found) || typeof found === 'string') {
      if (typeof key !== 'number') throw new Error(`cannot index slice/array with type ${typeOf(key)}`);
      if (key < 0 || key >= found.length) throw new Error(`index out of range: ${key}`);
      found = typeof found === 'string' ? Buffer.from(found)[key] : (found as unknown[])[key];
    } else if (typeof found === 'object' && !(found instanceof Fields)) {
      if (typeof key !== 'string') throw new Error(`value has type ${typeOf(key)}; should be string`);
      found = Object.hasOwn(found, key) ? (found as Record<string, unknown>)[key] : '';
    } else throw new Error(`can't index item of type ${typeOf(found)}`);
  }
  return found;
}

function length(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (typeof value === 'object' && value !== null && !(value instanceof Fields)) return Object.keys(value).length;
  if (value === null || value === undefined) throw new Error('len of nil pointer');
  throw new Error(`len of type ${typeOf(value)}`);
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (typeof value !== 'string' && !Array.isArray(value)) throw new Error(`can't slice item of type ${typeOf(value)}`);
  const end = typeof to === 'number' ? to : value.length;
  if (typeof from !== 'number' || from < 0 || end > value.length || from > end) {
    throw new Error(`index out of range: ${formatValue(to ?? from)}`);
  }
  return value.slice(from, end);
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`wrong type for value; expected string; got ${typeOf(value)}`);
  return value;
}

function print(values: readonly unknown[]): string {
  const bothTexts = (at: number): boolean => typeof values[at] === 'string' || typeof values[at - 1] === 'string';
  return values.map((value, at) => (at > 0 && !bothTexts(at) ? ' ' : '') + formatValue(value)).join('');
}

function title(value: unknown): string {
  return text(value).replace(/(^|[^\p{L}\p{N}_'])(\p{Ll})/gu, (_, before: string, letter: string) => {
    return before + letter.toUpperCase();
  });
}

const entities: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  "'": '&#39;',
  '"': '&#34;',
};

/** What templates can call, besides `and` and `or`, which look at no more arguments than they need: Go's functions and docker's. */
export const templateFunctions: Readonly<Record<string, TemplateFunction>> = {
  not: (value) => !isTrue(value),
  len: length,
  index,
  slice,
  eq: equal,
  ne: (left, right) => !equal(left, right),
  lt: (left, right) => compare(left, right) < 0,
  le: (left, right) => compare(left, right) <= 0,
  gt: (left, right) => compare(left, right) > 0,
  ge: (left, right) => compare(left, right) >= 0,
  print: (...values) => print(values),
  printf: (format, ...values) => printf(text(format), values),
  println: (...values) => `${values.map(formatValue).join(' ')}\n`,
  html: (...values) => print(values).replace(/[<>&'"]/g, (character) => entities[character] ?? ''),
  js: (...values) => formatJson(print(values), 'html').slice(1, -1),
  urlquery: (...values) => encodeURIComponent(print(values)),
  json: (value) => (value instanceof Fields ? formatJson(value, 'html') : formatJson(value, 'plain')),
  split: (value, separator) => text(value).split(text(separator)),
  join: (values, separator) => (Array.isArray(values) ? values.map(formatValue).join(text(separator)) : ''),
  title,
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  pad: (value, before, after) =>
    text(value) === '' ? '' : ' '.repeat(Number(before)) + text(value) + ' '.repeat(Number(after)),
  truncate: (value, size) => text(value).slice(0, Number(size)),
};

/** The names of everything that can be called. */
export const functionNames: ReadonlySet<string> = new Set([...Object.keys(templateFunctions), 'and', 'or', 'call']);
