import { formatJson, formatValue, typeOf } from './values.ts';

/** Formats as Go's `Sprintf`, for the verbs that make sense of JSON values. */
export function printf(format: string, values: readonly unknown[]): string {
  let next = 0;
  const text = format.replace(
    /%(?<flags>[-+# 0]*)(?<width>\d+|\*)?(?:\.(?<precision>\d+))?(?<verb>[a-zA-Z%])/g,
    (_, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      const room = width === '*' ? Number(values[next++]) : Number(width ?? 0);
      if (next >= values.length) return `%!${verb}(MISSING)`;
      const piece = formatVerb(verb, values[next++], flags, precision === undefined ? undefined : Number(precision));
      return pad(piece, room, flags);
    },
  );
  if (next >= values.length) return text;
  const extra = values.slice(next).map((value) => `${typeOf(value)}=${formatValue(value)}`);
  return `${text}%!(EXTRA ${extra.join(', ')})`;
}

function pad(text: string, room: number, flags: string): string {
  if (flags.includes('-')) return text.padEnd(room);
  if (!flags.includes('0')) return text.padStart(room);
  return /^[+-]/.test(text) ? (text[0] ?? '') + text.slice(1).padStart(room - 1, '0') : text.padStart(room, '0');
}

function formatVerb(verb: string, value: unknown, flags: string, precision: number | undefined): string {
  const cut = (text: string): string =>
    precision === undefined ? text : Array.from(text).slice(0, precision).join('');
  switch (verb) {
    case 'v':
      return flags.includes('#') && typeof value === 'string' ? JSON.stringify(value) : formatValue(value);
    case 's':
      return typeof value === 'number' || typeof value === 'boolean' ? wrong(verb, value) : cut(formatValue(value));
    case 'q':
      return typeof value === 'string' ? JSON.stringify(cut(value)) : quoteEach(value);
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong(verb, value);
    case 'T':
      return typeOf(value);
    case 'd':
    case 'x':
    case 'X':
    case 'o':
    case 'b':
    case 'c':
      return formatInteger(verb, value, flags);
    case 'f':
    case 'F':
    case 'e':
    case 'g':
      return typeof value === 'number' ? formatFloat(verb, value, precision) : wrong(verb, value);
    default:
      return wrong(verb, value);
  }
}

function formatInteger(verb: string, value: unknown, flags: string): string {
  if (typeof value === 'string' && verb.toLowerCase() === 'x') return Buffer.from(value).toString('hex');
  if (typeof value !== 'number' || !Number.isInteger(value)) return wrong(verb, value);
  if (verb === 'c') return String.fromCodePoint(value);
  const base = { d: 10, x: 16, X: 16, o: 8, b: 2 }[verb] ?? 10;
  const digits = value.toString(base);
  const sign = flags.includes('+') && value >= 0 ? '+' : '';
  return sign + (verb === 'X' ? digits.toUpperCase() : digits);
}

function formatFloat(verb: string, value: number, precision: number | undefined): string {
  if (verb === 'e') return value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
  if (verb === 'g') return precision === undefined ? String(value) : String(Number(value.toPrecision(precision || 1)));
  return value.toFixed(precision ?? 6);
}

function quoteEach(value: unknown): string {
  return Array.isArray(value) ? `[${value.map((item) => formatJson(item, 'plain')).join(' ')}]` : wrong('q', value);
}

function wrong(verb: string, value: unknown): string {
  return `%!${verb}(${typeOf(value)}=${formatValue(value)})`;
}
