import { CommandError } from '../command-error.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { keyValues } from './environment.ts';

/** A network to connect to, as `--network` says it. */
interface Attachment {
  readonly target: string;
  readonly aliases: string[];
  readonly fields: ReadonlyMap<string, string>;
  readonly driverOptions: readonly string[];
}

const known = new Set(['name', 'alias', 'driver-opt', 'ip', 'ip6', 'mac-address', 'link-local-ip', 'gw-priority']);

/** Returns what is wrong with a `--network`. */
export function checkNetwork(value: string): string | undefined {
  try {
    parseNetwork(value);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Returns the network mode and the endpoints that the flags ask for. @throws {CommandError} */
export function parseNetworks(flags: FlagValues): {
  readonly mode: string;
  readonly endpoints: Readonly<Record<string, unknown>>;
} {
  const attachments = flags.list('network', 'net').map(parseNetwork);
  if (attachments.length === 0) attachments.push(parseNetwork('default'));
  const endpoints: Record<string, unknown> = {};
  attachments.forEach((attachment, at) => {
    if (endpoints[attachment.target] !== undefined) {
      throw new CommandError(`network ${JSON.stringify(attachment.target)} is specified multiple times`);
    }
    endpoints[attachment.target] = endpointOf(attachment, at === 0 ? flags : undefined);
  });
  return { mode: attachments[0]?.target ?? 'default', endpoints };
}

function parseNetwork(value: string): Attachment {
  if (!/\w+=/.test(value)) return { target: value, aliases: [], fields: new Map(), driverOptions: [] };
  const aliases: string[] = [];
  const driverOptions: string[] = [];
  const fields = new Map<string, string>();
  for (const part of value.split(',')) {
    const equals = part.indexOf('=');
    if (equals < 0) throw new Error(`invalid field ${part} must be a key=value pair`);
    const key = part.slice(0, equals).trim().toLowerCase();
    const text = part.slice(equals + 1).trim();
    if (!known.has(key)) throw new Error(`invalid field key ${key}`);
    if (key === 'alias') aliases.push(text);
    else if (key === 'driver-opt') driverOptions.push(text);
    else fields.set(key, text);
  }
  const target = fields.get('name');
  if (target === undefined || target === '') throw new Error('network name/id is not specified');
  return { target, aliases, fields, driverOptions };
}

/** The old flags (`--ip`, `--network-alias`, …) speak of the first network. */
function endpointOf({ aliases, fields, driverOptions }: Attachment, flags: FlagValues | undefined): unknown {
  const address = fields.get('ip') ?? flags?.string('ip') ?? '';
  const address6 = fields.get('ip6') ?? flags?.string('ip6') ?? '';
  const mac = fields.get('mac-address') ?? flags?.string('mac-address') ?? '';
  const linkLocal = flags?.list('link-local-ip') ?? [];
  const names = [...aliases, ...(flags?.list('network-alias', 'net-alias') ?? [])];
  const ipam = {
    ...(address === '' ? {} : { IPv4Address: address }),
    ...(address6 === '' ? {} : { IPv6Address: address6 }),
    ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }),
  };
  return {
    ...(Object.keys(ipam).length === 0 ? {} : { IPAMConfig: ipam }),
    ...(names.length === 0 ? {} : { Aliases: names }),
    ...(driverOptions.length === 0 ? {} : { DriverOpts: keyValues(driverOptions) }),
    ...(mac === '' ? {} : { MacAddress: mac }),
    ...(fields.has('gw-priority') ? { GwPriority: Number(fields.get('gw-priority')) } : {}),
  };
}
