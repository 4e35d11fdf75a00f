import { EngineError } from '../base/errors.ts';

/** An IPv4 network. */
export interface Subnet {
  /** Its first address, as a number. */
  readonly first: number;
  readonly prefixLength: number;
}

/** Reads `172.17.0.1/16` into an address and its network. @throws {EngineError} invalidArgument */
export function parseCidr(text: string): { readonly address: number; readonly subnet: Subnet } {
  const match = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})\/(\d{1,2})$/.exec(text);
  const prefixLength = Number(match?.[2]);
  const address = match ? parseAddress(match[1] ?? '') : undefined;
  if (address === undefined || prefixLength > 30 || prefixLength < 8) {
    throw new EngineError(
      'invalidArgument',
      `invalid address with prefix ${JSON.stringify(text)}: expected one like 172.17.0.1/16`,
    );
  }
  return { address, subnet: { first: (address & mask(prefixLength)) >>> 0, prefixLength } };
}

function mask(prefixLength: number): number {
  return (0xffffffff << (32 - prefixLength)) >>> 0;
}

/** Reads a dotted address; undefined when it is none. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** Returns the dotted form. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** Returns `172.17.0.0/16`. */
export function formatSubnet({ first, prefixLength }: Subnet): string {
  return `${formatAddress(first)}/${prefixLength}`;
}

/** Whether two networks have addresses in common. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  const wider = mask(Math.min(a.prefixLength, b.prefixLength));
  return (a.first & wider) >>> 0 === (b.first & wider) >>> 0;
}

/** Networks in use on this machine, from the text of /proc/net/route; the default route is none. */
export function parseRoutes(routes: string): readonly Subnet[] {
  return routes
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.split('\t');
      const [destination, netmask] = [fields[1], fields[7]];
      if (destination === undefined || netmask === undefined || netmask === '00000000') return [];
      const bits = swapped(netmask);
      return [
        {
          first: swapped(destination),
          prefixLength: Math.clz32(~bits >>> 0),
        },
      ];
    });
}

/** The file shows addresses as little-endian words. */
function swapped(hex: string): number {
  return Buffer.from(hex, 'hex').readUInt32LE();
}

/** Docker's choices for the default bridge, in its order. */
const candidates: readonly string[] = [
  ...Array.from({ length: 15 }, (_, index) => `172.${17 + index}.0.1/16`),
  ...Array.from({ length: 16 }, (_, index) => `192.168.${index * 16}.1/20`),
];

/** Chooses an address for a bridge whose network nobody uses. @throws {EngineError} resourceExhausted */
export function chooseBridgeAddress(used: readonly Subnet[]): string {
  const free = candidates.find((candidate) => !used.some((subnet) => overlaps(subnet, parseCidr(candidate).subnet)));
  if (free === undefined)
    throw new EngineError('resourceExhausted', 'no free address range for the default bridge: set one with --bip');
  return free;
}

/** Gives out a network's addresses in a circle, so that one is used again as late as possible. */
export class AddressPool {
  readonly #subnet: Subnet;
  readonly #used = new Set<number>();
  #last: number;

  constructor(subnet: Subnet, gateway: number) {
    this.#subnet = subnet;
    this.#used.add(gateway);
    this.#last = subnet.first;
  }

  /** @throws {EngineError} resourceExhausted in docker's words */
  take(): number {
    const count = 2 ** (32 - this.#subnet.prefixLength) - 2;
    for (let step = 1; step <= count; step++) {
      const offset = (this.#last - this.#subnet.first - 1 + step) % count;
      const address = this.#subnet.first + 1 + offset;
      if (this.#used.has(address)) continue;
      this.#used.add(address);
      this.#last = address;
      return address;
    }
    throw new EngineError('resourceExhausted', "no available IPv4 addresses on this network's address pools: bridge");
  }

  /** Marks an address that a running container has. */
  claim(address: number): void {
    this.#used.add(address);
    this.#last = Math.max(this.#last, address);
  }

  release(address: number): void {
    this.#used.delete(address);
  }
}

/** A MAC address that goes with an IPv4 address: a reused address keeps it, so that no neighbour's cache goes stale. */
export function macAddressFor(address: number): string {
  const bytes = [24, 16, 8, 0].map((shift) => ((address >>> shift) & 0xff).toString(16).padStart(2, '0'));
  return ['02', '42', ...bytes].join(':');
}
