import { isIP } from 'node:net';
import { CommandError } from '../command-error.ts';

/** Where a container's port is published. */
export interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** Ports as the API takes them, by `port/protocol`. */
export interface Ports {
  readonly exposed: Readonly<Record<string, Readonly<Record<never, never>>>>;
  readonly bindings: Readonly<Record<string, readonly PortBinding[]>>;
}

/**
 * Reads `--publish` (`[address:][[from[-to]:]]from[-to][/protocol]`, or `target=…,published=…`) and `--expose`.
 *
 * @throws {CommandError} naming what is wrong.
 */
export function parsePorts(published: readonly string[], exposed: readonly string[]): Ports {
  const bindings: Record<string, PortBinding[]> = {};
  for (const specification of published) {
    for (const [port, binding] of parsePublished(standardForm(specification))) (bindings[port] ??= []).push(binding);
  }
  const all = [...Object.keys(bindings), ...exposed.flatMap(parseExposed)];
  return { exposed: Object.fromEntries(all.map((port) => [port, {}])), bindings };
}

function standardForm(specification: string): string {
  if (!specification.includes('=')) return specification;
  const fields = new Map(specification.split(',').map((field) => field.split('=', 2) as [string, string]));
  for (const key of fields.keys()) {
    if (!['target', 'published', 'protocol', 'mode'].includes(key)) {
      throw new CommandError(`invalid field key ${key}`);
    }
  }
  const target = fields.get('target') ?? fail(`missing mandatory field 'target'`);
  const host = fields.get('published');
  return `${host === undefined ? '' : `${host}:`}${target}/${fields.get('protocol') ?? 'tcp'}`;
}

function* parsePublished(specification: string): Generator<[string, PortBinding]> {
  const [ports = '', protocol = 'tcp', ...more] = specification.split('/');
  const { address, host, container } = splitParts(ports);
  if (container === '') fail(`No port specified: ${specification}<empty>`);
  const [from, to] = range(container, 'containerPort');
  const [hostFrom, hostTo] = host === '' ? [0, 0] : range(host, 'hostPort');
  if (address !== '' && isIP(address) === 0) fail(`Invalid ip address: ${address}`);
  if (more.length > 0 || !/^(tcp|udp|sctp)$/i.test(protocol)) fail(`Invalid proto: ${protocol}`);
  const isFree = host !== '' && from === to && hostTo > hostFrom;
  if (host !== '' && to - from !== hostTo - hostFrom && !isFree) {
    fail(`Invalid ranges specified for container and host Ports: ${container} and ${host}`);
  }
  for (let port = from; port <= to; port++) {
    let HostPort = host === '' ? '' : String(hostFrom + port - from);
    if (isFree) HostPort = `${hostFrom}-${hostTo}`;
    yield [`${port}/${protocol.toLowerCase()}`, { HostIp: address, HostPort }];
  }
}

function splitParts(ports: string): { address: string; host: string; container: string } {
  const parts = ports.split(':');
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  return { address: parts.join(':').replace(/^\[(.*)\]$/, '$1'), host, container };
}

function parseExposed(specification: string): string[] {
  const [ports = '', protocol = 'tcp'] = specification.split('/');
  const [first = '', last] = ports.split('-');
  for (const part of [first, last ?? first]) {
    if (/^\d+$/.test(part) && Number(part) <= 65535) continue;
    const why = `strconv.ParseUint: parsing ${JSON.stringify(part)}: invalid syntax`;
    fail(`invalid range format for --expose: ${specification}, error: ${why}`);
  }
  const [from, to] = [Number(first), Number(last ?? first)];
  return Array.from({ length: to - from + 1 }, (_, at) => `${from + at}/${protocol.toLowerCase()}`);
}

function range(text: string, what: string): [number, number] {
  const match = /^(?<from>\d+)(?:-(?<to>\d+))?$/.exec(text);
  const from = Number(match?.groups?.['from']);
  const to = Number(match?.groups?.['to'] ?? from);
  if (!match || from > 65535 || to > 65535 || to < from) fail(`Invalid ${what}: ${text}`);
  return [from, to];
}

function fail(message: string): never {
  throw new CommandError(message);
}
