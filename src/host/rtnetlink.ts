/** Links, addresses and routes (rtnetlink(7)): messages as functions of what is wanted. */
import { addressBytes, attribute, messageFlags, nested, text, word, type NetlinkMessage } from './netlink.ts';

const NEW_LINK = 16;
const DELETE_LINK = 17;
const NEW_ADDRESS = 20;
const NEW_ROUTE = 24;
const UP = 1;
const AF_INET = 2;

const link = { address: 1, name: 3, mtu: 4, master: 10, info: 18, namespaceFd: 28 } as const;
const info = { kind: 1, data: 2 } as const;
const bridgeData = { forwardDelay: 1, ageing: 4, stp: 5, multicastSnooping: 23 } as const;

function linkHeader(index: number, flags: number, changed: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(changed, 12);
  return header;
}

function macBytes(address: string): Buffer {
  return Buffer.from(address.replaceAll(':', ''), 'hex');
}

/** A bridge, up, with a MAC address of its own (else it takes that of a port, and changes). No spanning tree, no delay. */
export function createBridge(
  name: string,
  options: { readonly macAddress: string; readonly mtu: number },
): NetlinkMessage {
  const body = Buffer.concat([
    linkHeader(0, UP, UP),
    attribute(link.name, text(name)),
    attribute(link.address, macBytes(options.macAddress)),
    attribute(link.mtu, word(options.mtu)),
    nested(
      link.info,
      attribute(info.kind, text('bridge')),
      nested(
        info.data,
        attribute(bridgeData.forwardDelay, word(0)),
        attribute(bridgeData.stp, word(0)),
        attribute(bridgeData.ageing, word(30_000)),
        attribute(bridgeData.multicastSnooping, Buffer.from([0])),
      ),
    ),
  ]);
  return { type: NEW_LINK, flags: messageFlags.create | messageFlags.exclusive, body, subject: `bridge ${name}` };
}

/** A pair of links: one on the bridge, up, the other in a network namespace, named, with its MAC address. One message does all. */
export function createVethPair(options: {
  readonly name: string;
  readonly bridgeIndex: number;
  readonly mtu: number;
  readonly peerName: string;
  readonly peerMacAddress: string;
  readonly namespaceFd: number;
}): NetlinkMessage {
  const { name, bridgeIndex, mtu, peerName, peerMacAddress, namespaceFd } = options;
  // The peer cannot be up yet: its other end does not exist.
  const peer = Buffer.concat([
    linkHeader(0, 0, 0),
    attribute(link.name, text(peerName)),
    attribute(link.address, macBytes(peerMacAddress)),
    attribute(link.mtu, word(mtu)),
    attribute(link.namespaceFd, word(namespaceFd)),
  ]);
  const body = Buffer.concat([
    linkHeader(0, UP, UP),
    attribute(link.name, text(name)),
    attribute(link.master, word(bridgeIndex)),
    attribute(link.mtu, word(mtu)),
    nested(link.info, attribute(info.kind, text('veth')), nested(info.data, attribute(1, peer))),
  ]);
  return { type: NEW_LINK, flags: messageFlags.create | messageFlags.exclusive, body, subject: `veth ${name}` };
}

/** Sets a link up. */
export function setLinkUp(index: number): NetlinkMessage {
  return { type: NEW_LINK, flags: 0, body: linkHeader(index, UP, UP), subject: `link ${index} up` };
}

/** Removes a link. The kernel takes its time: 20 to 30 ms. */
export function deleteLink(name: string): NetlinkMessage {
  const body = Buffer.concat([linkHeader(0, 0, 0), attribute(link.name, text(name))]);
  return { type: DELETE_LINK, flags: 0, body, subject: `link ${name}` };
}

/** Gives a link an IPv4 address. */
export function addAddress(index: number, address: string, prefixLength: number): NetlinkMessage {
  const header = Buffer.alloc(8);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(prefixLength, 1);
  header.writeUInt32LE(index, 4);
  const bytes = addressBytes(address);
  const broadcast = Buffer.alloc(4);
  broadcast.writeUInt32BE((bytes.readUInt32BE() | (0xffffffff >>> prefixLength)) >>> 0);
  const body = Buffer.concat([header, attribute(2, bytes), attribute(1, bytes), attribute(4, broadcast)]);
  const flags = messageFlags.create | messageFlags.exclusive;
  return { type: NEW_ADDRESS, flags, body, subject: `address ${address}/${prefixLength}` };
}

/** The IPv4 default route of the namespace. */
export function addDefaultRoute(index: number, gateway: string): NetlinkMessage {
  const header = Buffer.from([AF_INET, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0]);
  const body = Buffer.concat([header, attribute(5, addressBytes(gateway)), attribute(4, word(index))]);
  return { type: NEW_ROUTE, flags: messageFlags.create | messageFlags.exclusive, body, subject: `route by ${gateway}` };
}
