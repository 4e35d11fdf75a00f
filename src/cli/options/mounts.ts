import path from 'node:path';
import { parseByteSize } from '../format/byte-sizes.ts';

/** A mount as the API takes it. */
export type MountRequest = Readonly<Record<string, unknown>>;

/**
 * Reads `--mount`: `type=bind,source=…,target=…,…`.
 *
 * @throws {Error} in docker's words.
 */
export function parseMount(text: string): MountRequest {
  const mount: Record<string, unknown> = { Type: 'volume' };
  const nested: Record<string, Record<string, unknown>> = {};
  const set = (group: string, key: string, value: unknown): void => void ((nested[group] ??= {})[key] = value);
  for (const field of text.split(',')) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    if (value === undefined && !switches.has(key)) throw new Error(`invalid field '${field}' must be a key=value pair`);
    takeField(mount, set, { field, key, value: value ?? 'true' });
  }
  if (mount['Type'] === '') throw new Error('type is required');
  if (mount['Target'] === undefined || mount['Target'] === '') throw new Error('target is required');
  checkGroups(mount['Type'], nested);
  return { ...mount, ...nested };
}

/** Returns what is wrong with a `--mount`. */
export function checkMount(text: string): string | undefined {
  try {
    parseMount(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const switches = new Set(['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive', 'bind-create-src']);

type SetNested = (group: string, key: string, value: unknown) => void;

function takeField(
  mount: Record<string, unknown>,
  set: SetNested,
  { field, key, value }: { field: string; key: string; value: string },
): void {
  switch (key) {
    case 'type':
      mount['Type'] = value.toLowerCase();
      return;
    case 'source':
    case 'src':
      mount['Source'] =
        value.startsWith('./') || value === '.' || value === '..' || value.startsWith('../')
          ? path.resolve(value)
          : value;
      return;
    case 'target':
    case 'dst':
    case 'destination':
      mount['Target'] = value;
      return;
    case 'readonly':
    case 'ro':
      mount['ReadOnly'] = readSwitch(key, value);
      return;
    case 'consistency':
      mount['Consistency'] = value.toLowerCase();
      return;
    case 'bind-propagation':
      return set('BindOptions', 'Propagation', value.toLowerCase());
    case 'bind-nonrecursive':
      return set('BindOptions', 'NonRecursive', readSwitch(key, value));
    case 'bind-create-src':
      return set('BindOptions', 'CreateMountpoint', readSwitch(key, value));
    case 'bind-recursive':
      return setRecursive(set, value);
    case 'volume-subpath':
      return set('VolumeOptions', 'Subpath', value);
    case 'volume-nocopy':
      return set('VolumeOptions', 'NoCopy', readSwitch(key, value));
    case 'tmpfs-size':
      return set('TmpfsOptions', 'SizeBytes', parseByteSize(value));
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(value)) throw new Error(`invalid value for ${key}: ${value}`);
      return set('TmpfsOptions', 'Mode', Number.parseInt(value, 8));
    default:
      throw new Error(`unexpected key '${key}' in '${field}'`);
  }
}

function setRecursive(set: SetNested, value: string): void {
  switch (value) {
    case 'enabled':
      return;
    case 'disabled':
      return set('BindOptions', 'NonRecursive', true);
    case 'writable':
      return set('BindOptions', 'ReadOnlyNonRecursive', true);
    case 'readonly':
      return set('BindOptions', 'ReadOnlyForceRecursive', true);
    default:
      throw new Error(
        `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
  }
}

function checkGroups(type: unknown, nested: Readonly<Record<string, unknown>>): void {
  const own: Readonly<Record<string, string>> = { volume: 'VolumeOptions', bind: 'BindOptions', tmpfs: 'TmpfsOptions' };
  for (const [kind, group] of Object.entries(own)) {
    if (kind !== type && nested[group] !== undefined) {
      throw new Error(`cannot mix '${kind}-*' options with mount type '${String(type)}'`);
    }
  }
}

function readSwitch(key: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new Error(`invalid value for ${key}: ${value}`);
}

/** Volumes and binds of `--volume`, as the API takes them. */
export function parseVolumes(values: readonly string[]): {
  readonly binds: readonly string[];
  readonly volumes: Readonly<Record<string, Readonly<Record<never, never>>>>;
} {
  const binds: string[] = [];
  const volumes: Record<string, Readonly<Record<never, never>>> = {};
  for (const value of values) {
    const colon = value.indexOf(':');
    if (colon < 0) volumes[value] = {};
    else if (value.startsWith('.')) binds.push(path.resolve(value.slice(0, colon)) + value.slice(colon));
    else binds.push(value);
  }
  return { binds, volumes };
}
