import type { ContainerConfig } from '../formats/engine-api/container-config.ts';
import type { HostConfig } from '../formats/engine-api/host-config.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { AttachedNetwork } from '../network/container-network.ts';
import type { ContainerState } from './lifecycle.ts';

/** Something of the host that a container sees. */
export interface ContainerMount {
  readonly type: 'bind' | 'tmpfs';
  /** On the host; empty for a tmpfs. */
  readonly source: string;
  readonly destination: string;
  readonly readOnly: boolean;
  /** As it was written behind the second colon. */
  readonly mode: string;
  readonly propagation: string;
  /** Mount options of a tmpfs. */
  readonly options: readonly string[];
}

/** All that is kept of a container. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  /** What the image's name pointed at. */
  readonly imageDigest: Digest;
  /** The manifest the container was made of. */
  readonly manifest: Descriptor;
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** The program and its arguments: entry point and command. */
  readonly args: readonly string[];
  readonly mounts: readonly ContainerMount[];
  readonly state: ContainerState;
  /** The network of the present run. */
  readonly network?: AttachedNetwork;
}
