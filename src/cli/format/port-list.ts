import type { JsonObject } from '../../base/json.ts';
import { numberOf, textOf } from './fields.ts';

interface Port {
  readonly address: string;
  readonly inside: number;
  readonly outside: number;
  readonly protocol: string;
}

/** Formats a container's ports: `0.0.0.0:8080->80/tcp, 443/tcp`; neighbours that are mapped to themselves become ranges. */
export function formatPorts(ports: readonly JsonObject[]): string {
  const sorted = ports.map(readPort).toSorted(compare);
  const groups = new Map<string, { first: number; last: number }>();
  const shown: string[] = [];
  const mapped: string[] = [];
  for (const { address, inside, outside, protocol } of sorted) {
    if (address !== '' && outside !== inside) {
      mapped.push(`${join(address, String(outside))}->${inside}/${protocol}`);
      continue;
    }
    const key = `${address}\t${protocol}`;
    const group = groups.get(key);
    if (group && inside === group.last + 1) group.last = inside;
    else {
      if (group) shown.push(formatGroup(key, group));
      groups.delete(key);
      groups.set(key, { first: inside, last: inside });
    }
  }
  for (const [key, group] of groups) shown.push(formatGroup(key, group));
  return [...shown, ...mapped].join(', ');
}

function formatGroup(key: string, { first, last }: { readonly first: number; readonly last: number }): string {
  const [address = '', protocol = ''] = key.split('\t');
  const range = first === last ? String(first) : `${first}-${last}`;
  return `${address === '' ? '' : `${join(address, range)}->`}${range}/${protocol}`;
}

function join(address: string, port: string): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function readPort(port: JsonObject): Port {
  return {
    address: textOf(port['IP']),
    inside: numberOf(port['PrivatePort']),
    outside: numberOf(port['PublicPort']),
    protocol: textOf(port['Type']),
  };
}

function compare(left: Port, right: Port): number {
  const order = (first: string, second: string): number => (first < second ? -1 : Number(first > second));
  return (
    left.inside - right.inside ||
    order(left.address, right.address) ||
    left.outside - right.outside ||
    order(left.protocol, right.protocol)
  );
}
