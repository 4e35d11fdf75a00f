import { isJsonObject } from '../../base/json.ts';
import { Fields } from './values.ts';

/**
 * Objects of the Engine API that docker's client knows as structs of these fields: templates print their values in this order. All
 * others stay maps.
 */
const structs: Readonly<Record<string, readonly string[]>> = {
  'container.State': [
    'Status',
    'Running',
    'Paused',
    'Restarting',
    'OOMKilled',
    'Dead',
    'Pid',
    'ExitCode',
    'Error',
    'StartedAt',
    'FinishedAt',
    'Health',
  ],
  'nat.PortBinding': ['HostIp', 'HostPort'],
  'container.RestartPolicy': ['Name', 'MaximumRetryCount'],
  'container.MountPoint': ['Type', 'Name', 'Source', 'Destination', 'Driver', 'Mode', 'RW', 'Propagation'],
};

/** Returns an inspected object whose known parts print as docker's structs do; fields that JSON leaves out are there, empty. */
export function structured(value: unknown): unknown {
  return convert(value, '');
}

function convert(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((item) => convert(item, key));
  if (!isJsonObject(value)) return value;
  const converted = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, convert(item, name)]));
  const struct = structOf(key, value);
  const fields = struct === undefined ? undefined : structs[struct];
  if (struct === undefined || !fields) return converted;
  const ordered = fields.map((name) => [name, converted[name] ?? (name === 'Health' ? null : '')] as const);
  return new Struct(struct, Object.fromEntries(ordered), converted);
}

/** In JSON a struct has the fields that were in the answer. */
class Struct extends Fields {
  readonly #json: unknown;

  constructor(typeName: string, values: Readonly<Record<string, unknown>>, json: unknown) {
    super(typeName, values);
    this.#json = json;
  }

  override toJSON(): unknown {
    return this.#json;
  }
}

function structOf(key: string, value: Readonly<Record<string, unknown>>): string | undefined {
  if (key === 'State' && 'Running' in value) return 'container.State';
  if (key === 'RestartPolicy') return 'container.RestartPolicy';
  if ('HostPort' in value && 'HostIp' in value) return 'nat.PortBinding';
  return 'Destination' in value && 'RW' in value ? 'container.MountPoint' : undefined;
}
