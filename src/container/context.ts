import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { EventBus } from '../events/events.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { Edge, Holds } from '../gc/references.ts';
import type { ContainerNetworks } from '../network/container-network.ts';
import type { CgroupLayout } from '../runtime/cgroup/cgroup.ts';
import type { ProcessHost } from '../runtime/process-host.ts';
import type { Snapshotter } from '../snapshot/snapshotter.ts';
import type { EngineAbilities } from './check-host-config.ts';
import type { ContainerRecord } from './record.ts';
import type { ContainerRegistry } from './registry.ts';

/** What the services of this folder work with. */
export interface ContainerContext {
  readonly registry: ContainerRegistry;
  readonly holds: Holds;
  readonly processes: ProcessHost;
  readonly snapshotter: Snapshotter;
  readonly networks: ContainerNetworks;
  readonly events: EventBus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly abilities: EngineAbilities;
  /** DATA_ROOT/containers: logs and the files mounted over /etc, one folder a container. */
  readonly dataDirectory: string;
  /** EXEC_ROOT/bundles: what the runtime is given, one folder a container. */
  readonly bundleDirectory: string;
  /** Lies below the image's layers in every container. */
  readonly mountpointsLayer: Digest;
  readonly cgroups: CgroupLayout;
  /** Below which cgroup containers live. */
  readonly cgroupParent: string;
  /** Removes content that nobody needs any more. */
  readonly collect: (orphans: readonly Edge[]) => Promise<void>;
}

/** Publishes an event of a container, with the attributes docker gives every one of them. */
export function publishContainerEvent(
  context: ContainerContext,
  action: string,
  record: ContainerRecord,
  attributes: Readonly<Record<string, string>> = {},
): void {
  const { Image, Labels } = record.config;
  context.events.publish('container', action, record.id, { ...Labels, ...attributes, image: Image, name: record.name });
}
