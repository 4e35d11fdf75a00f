/**
 * The networks `bridge`, `host` and `none` of an engine. All names derive from the exec root, so that several engines live beside
 * each other.
 *
 * ```
 * EXEC_ROOT/network.json   address of the bridge, kept until the next reboot
 * container ── eth0 ═ veth ── bridge ── nftables table ── the machine's networks
 * ```
 */
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { closeDescriptor } from '../host/descriptor.ts';
import { newId } from '../base/ids.ts';
import { EngineError, messageOf } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import type { Logger } from '../base/log.ts';
import {
  AddressPool,
  chooseBridgeAddress,
  formatAddress,
  formatSubnet,
  macAddressFor,
  parseAddress,
  parseCidr,
  parseRoutes,
  type Subnet,
} from './addresses.ts';
import type {
  AttachedNetwork,
  AttachNetworkRequest,
  BridgeInfo,
  ContainerNetworks,
  Endpoint,
  PublishedPort,
} from './container-network.ts';
import { NetworkWorker } from './network-worker.ts';
import { PortHolder } from './port-holder.ts';
import { baseRuleset, bridgeElements, portElements, setNames, type ElementsBySet } from './ruleset.ts';
import { fixedNetworkIds } from './without-bridge.ts';

const execFileAsync = promisify(execFile);
const mtu = 1500;

interface Attached {
  readonly address: number;
  readonly ports: readonly PublishedPort[];
  /** Kept open until the detach; a taken-over container's namespace lives by its processes. */
  readonly namespace?: number;
}

/** Settings of the default bridge. */
export interface BridgeSettings {
  readonly execRoot: string;
  /** Address and prefix; chosen when absent. */
  readonly bip?: string;
  readonly log: Logger;
}

/** See the head of this file. */
export class BridgeNetworks implements ContainerNetworks {
  readonly bridge: BridgeInfo;
  readonly fixedNetworkIds: { readonly host: string; readonly none: string };
  readonly #worker: NetworkWorker;
  readonly #pool: AddressPool;
  readonly #prefixLength: number;
  readonly #suffix: string;
  readonly #log: Logger;
  readonly #holder = new PortHolder();
  readonly #attached = new Map<string, Attached>();
  readonly #ownElements: ElementsBySet;

  private constructor(worker: NetworkWorker, settings: BridgeSettings, name: string, cidr: string) {
    const { address, subnet } = parseCidr(cidr);
    const ids = fixedNetworkIds(settings.execRoot);
    this.#worker = worker;
    this.#pool = new AddressPool(subnet, address);
    this.#prefixLength = subnet.prefixLength;
    this.#suffix = suffixOf(settings.execRoot);
    this.#log = settings.log;
    this.#ownElements = bridgeElements({
      name,
      subnet: formatAddress(subnet.first),
      prefixLength: subnet.prefixLength,
    });
    this.fixedNetworkIds = ids;
    this.bridge = {
      networkId: ids.bridge,
      name,
      subnet: formatSubnet(subnet),
      gateway: formatAddress(address),
      mtu,
      createdAt: new Date(),
    };
  }

  /** Makes bridge and packet filter, or takes those of a former engine over. @throws {EngineError} when the machine refuses */
  static async open(settings: BridgeSettings): Promise<BridgeNetworks> {
    const suffix = suffixOf(settings.execRoot);
    const table = `slipway-${suffix}`;
    const name = `slip-${suffix}`;
    const cidr = await bridgeAddress(settings);
    const { address, subnet } = parseCidr(cidr);
    const worker = new NetworkWorker({ table });
    try {
      await loadTable(worker, table);
      await worker.run({ type: 'openTable' });
      const macAddress = macAddressFor(address);
      await worker.run({
        type: 'createBridge',
        name,
        macAddress,
        mtu,
        address: formatAddress(address),
        prefixLength: subnet.prefixLength,
      });
      return new BridgeNetworks(worker, settings, name, cidr);
    } catch (error) {
      await worker[Symbol.asyncDispose]();
      throw new EngineError('failedPrecondition', `the default bridge ${name} cannot be made: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  async attach(request: AttachNetworkRequest): Promise<AttachedNetwork> {
    if (request.mode !== 'bridge') return { ports: [] };
    const endpointId = newId();
    const address = this.#pool.take();
    const ports: PublishedPort[] = [];
    let namespace: number | undefined;
    try {
      for (const wanted of request.ports) ports.push(await this.#holder.take(wanted));
      const endpoint = this.#endpoint(endpointId, address, request.macAddress);
      namespace = await this.#worker.run({
        type: 'attach',
        link: this.#linkOf(request.containerId),
        bridge: this.bridge.name,
        mtu,
        address: endpoint.address,
        prefixLength: endpoint.prefixLength,
        gateway: endpoint.gateway,
        macAddress: endpoint.macAddress,
      });
      const add = portElements(endpoint.address, ports);
      if (ports.length > 0) await this.#worker.run({ type: 'changeElements', remove: {}, add });
      this.#attached.set(request.containerId, { address, ports, namespace });
      return { namespacePath: `/proc/${process.pid}/fd/${namespace}`, endpoint, ports };
    } catch (error) {
      if (namespace !== undefined) closeDescriptor(namespace);
      for (const port of ports) await this.#holder.release(port);
      this.#pool.release(address);
      throw attachFailure(error, request, endpointId);
    }
  }

  #endpoint(endpointId: string, address: number, macAddress: string | undefined): Endpoint {
    return {
      endpointId,
      networkId: this.bridge.networkId,
      address: formatAddress(address),
      prefixLength: this.#prefixLength,
      gateway: this.bridge.gateway,
      macAddress: macAddress ?? macAddressFor(address),
    };
  }

  /** At most 15 bytes, different for every container of every engine. */
  #linkOf(containerId: string): string {
    return `v${this.#suffix.slice(0, 4)}${containerId.slice(0, 10)}`;
  }

  async detach(containerId: string): Promise<void> {
    const attached = this.#attached.get(containerId);
    if (!attached) return;
    this.#attached.delete(containerId);
    const { address, ports, namespace } = attached;
    try {
      if (ports.length > 0) {
        await this.#worker.run({
          type: 'changeElements',
          remove: portElements(formatAddress(address), ports),
          add: {},
        });
      }
      for (const port of ports) await this.#holder.release(port);
    } finally {
      // The link goes with the namespace, and that with the last process and this descriptor.
      if (namespace !== undefined) closeDescriptor(namespace);
      this.#pool.release(address);
    }
  }

  async adopt(request: AttachNetworkRequest, network: AttachedNetwork, _pid: number): Promise<void> {
    const address = network.endpoint && parseAddress(network.endpoint.address);
    if (address === undefined) return;
    this.#pool.claim(address);
    for (const port of network.ports) {
      if (await this.#holder.retake(port)) continue;
      this.#log.warn(
        { container: request.containerId, port },
        'another program holds a published port; packets still go to the container',
      );
    }
    this.#attached.set(request.containerId, { address, ports: network.ports });
  }

  async settle(): Promise<void> {
    const all = [...this.#attached.values()].map(({ address, ports }) => portElements(formatAddress(address), ports));
    const add: Record<string, readonly object[]> = { ...this.#ownElements };
    for (const elements of all) {
      for (const [set, list] of Object.entries(elements)) add[set] = [...(add[set] ?? []), ...list];
    }
    await this.#worker.run({ type: 'replaceElements', sets: setNames, add: add as ElementsBySet });
  }

  async remove(): Promise<void> {
    for (const containerId of this.#attached.keys()) await this.detach(containerId);
    await this.#worker.run({ type: 'removeTable' });
    await this.#worker.run({ type: 'removeBridge', name: this.bridge.name });
  }

  /** Containers go on running, so bridge and packet filter stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder.releaseAll();
    for (const { namespace } of this.#attached.values()) if (namespace !== undefined) closeDescriptor(namespace);
    await this.#worker[Symbol.asyncDispose]();
  }
}

function suffixOf(execRoot: string): string {
  return createHash('sha256').update(execRoot).digest('hex').slice(0, 8);
}

/** The address of the bridge: the one from before, else the one that was asked for, else one whose network is free. */
async function bridgeAddress({ execRoot, bip }: BridgeSettings): Promise<string> {
  const file = path.join(execRoot, 'network.json');
  const known = await readTextIfPresent(file);
  if (known !== undefined) {
    const address: unknown = JSON.parse(known);
    if (typeof address === 'string' && (bip === undefined || bip === address)) return address;
  }
  const used: readonly Subnet[] = parseRoutes(await readFile('/proc/net/route', 'utf8'));
  const address = bip ?? chooseBridgeAddress(used);
  parseCidr(address);
  await writeFile(file, JSON.stringify(address), { mode: 0o600 });
  return address;
}

/**
 * Loads the base rules into the engine's table, unless they are there. The table is made as an orphan that outlives its maker;
 * the worker's socket adopts it next.
 */
async function loadTable(worker: NetworkWorker, table: string): Promise<void> {
  if (await tableIsLoaded(table)) return;
  await worker.run({ type: 'createTable' });
  const loading = execFileAsync('nft', ['-f', '-']);
  loading.child.stdin?.end(baseRuleset(table));
  try {
    await loading;
  } catch (error) {
    throw new EngineError('failedPrecondition', `nft refused the packet filter's rules: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function tableIsLoaded(table: string): Promise<boolean> {
  try {
    const { stdout } = await execFileAsync('nft', ['list', 'chain', 'inet', table, 'postrouting']);
    return stdout.includes('masq4');
  } catch (error) {
    // nft's exit status for what is not there.
    if (error instanceof Error && 'code' in error && error.code === 1) return false;
    throw new EngineError(
      'failedPrecondition',
      `nft cannot be run: ${messageOf(error)}: install the package nftables`,
      { cause: error },
    );
  }
}

/** Docker's sentence in front of what went wrong. */
function attachFailure(error: unknown, request: AttachNetworkRequest, endpointId: string): Error {
  if (!(error instanceof EngineError)) return new EngineError('internal', messageOf(error), { cause: error });
  return new EngineError(
    error.kind,
    `failed to set up container networking: driver failed programming external connectivity on endpoint ${request.containerName} (${endpointId}): ${error.message}`,
    { cause: error },
  );
}
