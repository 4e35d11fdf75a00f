/**
 * The one thread that changes network namespaces and speaks netlink: its calls are short but may wait for a kernel lock, and
 * `unshare` and `setns` are a thread's own affair. Nothing else runs here.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { errorCode, isErrorCode, messageOf } from '../base/errors.ts';
import { closeDescriptor, openDescriptor } from '../host/descriptor.ts';
import { enterNamespace, unshareNamespace } from '../host/namespaces.ts';
import { netlinkFamilies, NetlinkSocket } from '../host/netlink.ts';
import { addElements, batch, deleteElements, deleteTable, flushSet, ownTable } from '../host/nfnetlink.ts';
import { addAddress, addDefaultRoute, createBridge, createVethPair, deleteLink, setLinkUp } from '../host/rtnetlink.ts';
import type { ElementsBySet } from './ruleset.ts';
import type { WorkerCommand, WorkerSetup } from './worker-messages.ts';

const { table } = workerData as WorkerSetup;
const route = new NetlinkSocket(netlinkFamilies.route);
// The table belongs to this socket, so it lives as long as the thread.
const filter = new NetlinkSocket(netlinkFamilies.netfilter);
const ownNamespace = openDescriptor('/proc/thread-self/ns/net', 'read');

const port = parentPort;
if (!port) throw new Error('the network worker runs as a worker thread only');
port.on('message', ({ sequence, command }: { sequence: number; command: WorkerCommand }) => {
  try {
    port.postMessage({ sequence, value: run(command) });
  } catch (error) {
    port.postMessage({ sequence, error: { message: messageOf(error), code: errorCode(error) ?? '' } });
  }
});

function run(command: WorkerCommand): number {
  switch (command.type) {
    case 'createTable':
      return createTable();
    case 'openTable':
      filter.request(...batch([ownTable(table, { create: false })]));
      return 0;
    case 'createBridge':
      return openBridge(command);
    case 'removeBridge':
      route.request(deleteLink(command.name));
      return 0;
    case 'attach':
      return attach(command);
    case 'changeElements':
      send([...each(command.remove, deleteElements), ...each(command.add, addElements)]);
      return 0;
    case 'replaceElements':
      send([...command.sets.map((set) => flushSet(table, set)), ...each(command.add, addElements)]);
      return 0;
    case 'close':
      // Descriptors belong to the process and would outlive this thread.
      route[Symbol.dispose]();
      filter[Symbol.dispose]();
      closeDescriptor(ownNamespace);
      return 0;
    case 'removeTable':
      filter.request(...batch([deleteTable(table)]));
      return 0;
  }
}

/** With the end of this socket the table is an orphan, which `nft` may fill. */
function createTable(): number {
  using maker = new NetlinkSocket(netlinkFamilies.netfilter);
  maker.request(...batch([ownTable(table, { create: true })]));
  return 0;
}

function each(elements: ElementsBySet, change: typeof addElements): ReturnType<typeof addElements> {
  return Object.entries(elements).flatMap(([set, list]) => change(table, set, list.map(revive)));
}

/** Buffers arrive from the other thread as plain bytes. */
function revive(element: ElementsBySet[string][number]): ElementsBySet[string][number] {
  const { key, keyEnd, value, ...rest } = element;
  return {
    ...rest,
    key: Buffer.from(key),
    ...(keyEnd ? { keyEnd: Buffer.from(keyEnd) } : {}),
    ...(value ? { value: Buffer.from(value) } : {}),
  };
}

function send(messages: ReturnType<typeof addElements>): void {
  if (messages.length > 0) filter.request(...batch(messages));
}

/** Makes a bridge with its address, or takes the one of that name over. Returns its index. */
function openBridge(command: Extract<WorkerCommand, { type: 'createBridge' }>): number {
  const { name, macAddress, mtu, address, prefixLength } = command;
  try {
    route.request(createBridge(name, { macAddress, mtu }));
  } catch (error) {
    if (!isErrorCode(error, 'EEXIST')) throw error;
  }
  const index = linkIndex(name);
  try {
    route.request(addAddress(index, address, prefixLength));
  } catch (error) {
    if (!isErrorCode(error, 'EEXIST')) throw error;
  }
  route.request(setLinkUp(index));
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  // Packets from 127.0.0.1 to a published port leave by the bridge.
  writeFileSync(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, '1');
  writeIfPresent(`/proc/sys/net/ipv6/conf/${name}/accept_ra`, '0');
  return index;
}

function linkIndex(name: string): number {
  return Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
}

/** Makes a network namespace with one link on the bridge. Returns its descriptor, which belongs to the process. */
function attach(command: Extract<WorkerCommand, { type: 'attach' }>): number {
  const { link, bridge, mtu, address, prefixLength, gateway, macAddress } = command;
  const { namespace, inside } = openNamespace();
  try {
    const bridgeIndex = linkIndex(bridge);
    route.request(
      createVethPair({
        name: link,
        bridgeIndex,
        mtu,
        peerName: 'eth0',
        peerMacAddress: macAddress,
        namespaceFd: namespace,
      }),
    );
    if (bridgedPacketsAreFiltered()) writeFileSync(`/sys/class/net/${link}/brport/hairpin_mode`, '1');
    // In a fresh namespace the loopback is link 1 and the one that was put there is link 2.
    inside.request(setLinkUp(1), setLinkUp(2), addAddress(2, address, prefixLength), addDefaultRoute(2, gateway));
    return namespace;
  } catch (error) {
    closeDescriptor(namespace);
    throw error;
  } finally {
    // A socket inside would keep the namespace alive.
    inside[Symbol.dispose]();
  }
}

function openNamespace(): { readonly namespace: number; readonly inside: NetlinkSocket } {
  unshareNamespace('network');
  let namespace: number | undefined;
  try {
    namespace = openDescriptor('/proc/thread-self/ns/net', 'read');
    // Links that come later have no IPv6 addresses; the loopback keeps ::1.
    writeIfPresent('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
    return { namespace, inside: new NetlinkSocket(netlinkFamilies.route) };
  } catch (error) {
    if (namespace !== undefined) closeDescriptor(namespace);
    throw error;
  } finally {
    returnHome();
  }
}

function returnHome(): void {
  try {
    enterNamespace(ownNamespace, 'network');
  } catch (error) {
    // A thread that is in the wrong namespace must not do anything any more.
    process.stderr.write(`network worker: cannot return to its namespace: ${messageOf(error)}\n`);
    process.abort();
  }
}

/** With br_netfilter a container reaches its own published port only through a hairpin. The host-wide setting is not ours. */
function bridgedPacketsAreFiltered(): boolean {
  try {
    return readFileSync('/proc/sys/net/bridge/bridge-nf-call-iptables', 'utf8').trim() === '1';
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function writeIfPresent(file: string, value: string): void {
  try {
    writeFileSync(file, value);
  } catch (error) {
    if (!isErrorCode(error, 'ENOENT')) throw error;
  }
}
