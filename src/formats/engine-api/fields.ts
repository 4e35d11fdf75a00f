import { EngineError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject } from '../oci/descriptor.ts';

/** Reads one field: `undefined` and `null` give the default, a wrong type is refused. */
type FieldReader<T> = (value: unknown, name: string) => T;

function refuse(value: unknown, name: string, expected: string): never {
  const got = Array.isArray(value) ? 'array' : typeof value;
  throw new EngineError(
    'invalidArgument',
    `invalid JSON: cannot unmarshal ${got} into field ${name} of type ${expected}`,
  );
}

/** A string. */
export function text(fallback = ''): FieldReader<string> {
  return (value, name) =>
    value === undefined || value === null
      ? fallback
      : typeof value === 'string'
        ? value
        : refuse(value, name, 'string');
}

/** A whole number within what a double holds exactly. */
export function integer(fallback = 0): FieldReader<number> {
  return (value, name) => {
    if (value === undefined || value === null) return fallback;
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : refuse(value, name, 'int64');
  };
}

/** A whole number, or null. */
export const optionalInteger: FieldReader<number | null> = (value, name) =>
  value === undefined || value === null ? null : integer()(value, name);

/** True or false. */
export const flag: FieldReader<boolean> = (value, name) => {
  if (value === undefined || value === null) return false;
  return typeof value === 'boolean' ? value : refuse(value, name, 'bool');
};

/** True, false or null. */
export const optionalFlag: FieldReader<boolean | null> = (value, name) =>
  value === undefined || value === null ? null : flag(value, name);

/** A list of strings, or null. */
export const strings: FieldReader<readonly string[] | null> = (value, name) => {
  if (value === undefined || value === null) return null;
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
    ? value
    : refuse(value, name, '[]string');
};

/** A list of strings; one string stands for a list of one (Docker's `strslice`). */
export const stringOrStrings: FieldReader<readonly string[] | null> = (value, name) =>
  typeof value === 'string' ? [value] : strings(value, name);

/** A map of strings, or null. */
export const textMap: FieldReader<Readonly<Record<string, string>> | null> = (value, name) => {
  if (value === undefined || value === null) return null;
  const valid = isJsonObject(value) && Object.values(value).every((item) => typeof item === 'string');
  return valid ? (value as Record<string, string>) : refuse(value, name, 'map[string]string');
};

/** A set, written as an object with empty values, or null. */
export const keySet: FieldReader<Readonly<Record<string, object>> | null> = (value, name) => {
  if (value === undefined || value === null) return null;
  return isJsonObject(value)
    ? Object.fromEntries(Object.keys(value).map((key) => [key, {}]))
    : refuse(value, name, 'map');
};

/** A list whose items `read` checks, or null. */
export function list<T>(read: (item: JsonObject, name: string) => T): FieldReader<readonly T[] | null> {
  return (value, name) => {
    if (value === undefined || value === null) return null;
    if (!Array.isArray(value)) return refuse(value, name, 'array');
    return value.map((item: unknown) => (isJsonObject(item) ? read(item, name) : refuse(item, name, 'object')));
  };
}

/** An object, empty when absent. */
export const object: FieldReader<JsonObject> = (value, name) => {
  if (value === undefined || value === null) return {};
  return isJsonObject(value) ? value : refuse(value, name, 'object');
};

/** Reads every field of a table from an object, in the table's order. Field names match without regard to case, as in Go. */
export function readFields<Table extends Readonly<Record<string, FieldReader<unknown>>>>(
  value: JsonObject,
  table: Table,
): { readonly [Name in keyof Table]: ReturnType<Table[Name]> } {
  const lowered = new Map(Object.entries(value).map(([name, field]) => [name.toLowerCase(), field] as const));
  const entries = Object.entries(table).map(([name, read]) => [
    name,
    read(value[name] ?? lowered.get(name.toLowerCase()), name),
  ]);
  return Object.fromEntries(entries) as { [Name in keyof Table]: ReturnType<Table[Name]> };
}
