/**
 * The packet filter of an engine: one table, loaded once. Networks and published ports are elements of its sets and maps.
 *
 * prerouting drops what comes from outside for the loopback; published ports are translated for packets from outside and from
 * this machine alike; forward closes bridges against everything but their own, published ports, and answers; postrouting hides
 * containers behind the machine, and loopback sources and hairpins behind the bridge.
 */
import type { SetElement } from '../host/nfnetlink.ts';
import { addressBytes } from '../host/netlink.ts';
import type { PublishedPort } from './container-network.ts';

const lines = `
add map inet T pub4 { typeof meta l4proto . ip daddr . th dport : ip daddr . th dport; }
add map inet T pub4any { typeof meta l4proto . th dport : ip daddr . th dport; }
add set inet T bridges { typeof oifname; }
add set inet T same { typeof iifname . oifname; }
add set inet T subnet4 { typeof oifname . ip saddr; flags interval; }
add set inet T masq4 { typeof ip saddr; flags interval; }
add chain inet T guard { type filter hook prerouting priority raw; policy accept; }
add chain inet T prerouting { type nat hook prerouting priority dstnat; policy accept; }
add chain inet T output { type nat hook output priority -100; policy accept; }
add chain inet T publish
add chain inet T forward { type filter hook forward priority filter; policy accept; }
add chain inet T postrouting { type nat hook postrouting priority srcnat; policy accept; }
add rule inet T guard iifname != "lo" ip daddr 127.0.0.0/8 drop
add rule inet T guard iifname != "lo" ip6 daddr ::1 drop
add rule inet T prerouting fib daddr type local jump publish
add rule inet T output fib daddr type local jump publish
add rule inet T publish dnat ip to meta l4proto . ip daddr . th dport map @pub4
add rule inet T publish dnat ip to meta l4proto . th dport map @pub4any
add rule inet T forward ct state established,related accept
add rule inet T forward ct status dnat accept
add rule inet T forward iifname . oifname @same accept
add rule inet T forward oifname @bridges drop
add rule inet T postrouting ct status dnat oifname . ip saddr @subnet4 masquerade
add rule inet T postrouting oifname @bridges ip saddr 127.0.0.0/8 masquerade
add rule inet T postrouting oifname @bridges accept
add rule inet T postrouting ip saddr @masq4 masquerade
`;

/** The sets and maps that hold elements. */
export const setNames: readonly string[] = ['pub4', 'pub4any', 'bridges', 'same', 'subnet4', 'masq4'];

/** Returns what `nft -f` loads into a table that is there already. */
export function baseRuleset(table: string): string {
  return `${lines.trim().replaceAll(' inet T ', ` inet ${table} `)}\n`;
}

/** A bridge with its network. */
export interface BridgeNetwork {
  readonly name: string;
  /** First address of the subnet. */
  readonly subnet: string;
  readonly prefixLength: number;
}

/** Elements by set. */
export type ElementsBySet = Readonly<Record<string, readonly SetElement[]>>;

/** Returns the elements that stand for a bridge. */
export function bridgeElements({ name, subnet, prefixLength }: BridgeNetwork): ElementsBySet {
  const first = addressBytes(subnet);
  const last = Buffer.alloc(4);
  last.writeUInt32BE((first.readUInt32BE() | (0xffffffff >>> prefixLength)) >>> 0);
  const behind = Buffer.alloc(4);
  behind.writeUInt32BE((last.readUInt32BE() + 1) >>> 0);
  const link = linkName(name);
  return {
    bridges: [{ key: link }],
    same: [{ key: Buffer.concat([link, link]) }],
    subnet4: [{ key: Buffer.concat([link, first]), keyEnd: Buffer.concat([link, last]) }],
    masq4: [{ key: first }, { key: behind, isIntervalEnd: true }],
  };
}

/** Returns the elements that stand for published ports of a container. */
export function portElements(address: string, ports: readonly PublishedPort[]): ElementsBySet {
  const element = (port: PublishedPort): SetElement => {
    const specific = port.hostAddress === '0.0.0.0' ? [] : [addressBytes(port.hostAddress)];
    return {
      key: Buffer.concat([field(protocolNumbers[port.protocol]), ...specific, portField(port.hostPort)]),
      value: Buffer.concat([addressBytes(address), portField(port.containerPort)]),
    };
  };
  const any = ports.filter(({ hostAddress }) => hostAddress === '0.0.0.0');
  return { pub4any: any.map(element), pub4: ports.filter((port) => !any.includes(port)).map(element) };
}

const protocolNumbers: Readonly<Record<PublishedPort['protocol'], number>> = { tcp: 6, udp: 17, sctp: 132 };

/** Every field of a key is padded to 4 bytes. */
function field(value: number): Buffer {
  return Buffer.from([value, 0, 0, 0]);
}

function portField(port: number): Buffer {
  return Buffer.from([port >> 8, port & 0xff, 0, 0]);
}

function linkName(name: string): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.write(name, 'latin1');
  return bytes;
}
