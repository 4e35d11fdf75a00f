/**
 * The network of a container: made by `attach` just before its program starts, ended by `detach` after its end, found again by
 * `adopt` in a restarted engine. What a container's network mode names decides what happens: `none` is a namespace with
 * loopback only, `host` is the host's, `bridge` is the default bridge.
 */

/** A port wish: of the container, and where it shall appear on the host. */
export interface PortRequest {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly containerPort: number;
  /** Empty for every address. */
  readonly hostAddress: string;
  /** Undefined for any free one. */
  readonly hostPort?: number;
  /** The end of a range to choose from, inclusive. */
  readonly hostPortEnd?: number;
}

/** A port as it was published. */
export interface PublishedPort {
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly containerPort: number;
  readonly hostAddress: string;
  readonly hostPort: number;
}

/** What a container asks of its network. */
export interface AttachNetworkRequest {
  readonly containerId: string;
  readonly containerName: string;
  readonly mode: 'none' | 'host' | 'bridge';
  readonly macAddress?: string;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly ports: readonly PortRequest[];
}

/** A container's end of the default bridge. */
export interface Endpoint {
  readonly endpointId: string;
  readonly networkId: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly macAddress: string;
}

/** An attached network. */
export interface AttachedNetwork {
  /** What the runtime joins; undefined for the host's. */
  readonly namespacePath?: string;
  readonly endpoint?: Endpoint;
  readonly ports: readonly PublishedPort[];
}

/** The default bridge, as `network inspect` shows it. */
export interface BridgeInfo {
  readonly networkId: string;
  readonly name: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly mtu: number;
  readonly createdAt: Date;
}

/** Networks of containers; see the head of this file. */
export interface ContainerNetworks extends AsyncDisposable {
  /** @throws {EngineError} unavailable with docker's text when a port is taken; nothing is left behind then. */
  attach(request: AttachNetworkRequest): Promise<AttachedNetwork>;
  /** Ends a container's network; nothing happens when it has none. */
  detach(containerId: string): Promise<void>;
  /** Takes over the network of a container that was running before this engine started. */
  adopt(request: AttachNetworkRequest, attached: AttachedNetwork, pid: number): Promise<void>;
  /** After the last `adopt` of a start: removes from the packet filter what belongs to nobody any more. */
  settle(): Promise<void>;
  /** Takes everything off the host. No container runs any more. */
  remove(): Promise<void>;
  readonly bridge: BridgeInfo | undefined;
  /** Of the networks `host` and `none`; kept over restarts. */
  readonly fixedNetworkIds: { readonly host: string; readonly none: string };
}
