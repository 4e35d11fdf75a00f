/**
 * Values in templates: JSON's, functions of arguments, and records. A record stands for a Go struct: it has a type to be named in
 * messages and knows all its fields.
 */
export class Fields {
  readonly typeName: string;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(typeName: string, values: Readonly<Record<string, unknown>>) {
    this.typeName = typeName;
    this.#values = values;
  }

  /** Whether there is such a field. */
  has(name: string): boolean {
    return Object.hasOwn(this.#values, name);
  }

  /** Returns a field's value; functions are fields with arguments. */
  get(name: string): unknown {
    return this.#values[name];
  }

  /** The plain fields, in order of their names, as docker prints rows in JSON. */
  toJSON(): unknown {
    const entries = Object.entries(this.#values).filter(([, value]) => typeof value !== 'function');
    return Object.fromEntries(entries.toSorted(([left], [right]) => (left < right ? -1 : 1)));
  }

  /** The values in their order, as Go prints a struct. */
  values(): readonly unknown[] {
    return Object.values(this.#values).filter((value) => typeof value !== 'function');
  }
}

/** Whether a value counts as true: neither zero nor empty. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Fields) return true;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Formats a value as Go's `%v`. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(formatValue).join(' ')}]`;
  if (value instanceof Fields) return `{${value.values().map(formatValue).join(' ')}}`;
  if (typeof value === 'object') {
    const entries = sortedEntries(value).map(([key, item]) => `${key}:${formatValue(item)}`);
    return `map[${entries.join(' ')}]`;
  }
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'string') return value;
  return typeof value === 'boolean' || typeof value === 'bigint' ? value.toString() : typeof value;
}

/** Returns a map's entries in order of their keys. */
export function sortedEntries(value: object): [string, unknown][] {
  return Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
}

/** Returns a value's Go type, for messages. */
export function typeOf(value: unknown): string {
  if (value instanceof Fields) return value.typeName;
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (typeof value === 'bigint') return 'int64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}

/** Formats JSON as Go's encoder does; `html` escapes what could be markup. */
export function formatJson(value: unknown, html: 'html' | 'plain'): string {
  const text = JSON.stringify(value, plainJson) ?? 'null';
  const safe = text.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  return html === 'html' ? safe.replace(/[<>&]/g, escapeCharacter) : safe;
}

/** In the language since ES2026, in the compiler's library not yet. */
const { rawJSON: rawJson } = JSON as typeof JSON & { readonly rawJSON: (text: string) => unknown };

/** Numbers that JSON's reader could not hold are written digit by digit. */
function plainJson(_: string, item: unknown): unknown {
  if (typeof item === 'bigint') return rawJson(item.toString());
  return item instanceof Fields ? item.toJSON() : item;
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return value.toFixed(0);
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}
