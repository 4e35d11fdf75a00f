import type { Clock } from '../base/clock.ts';
import type { Database } from '../db/database.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Reference } from '../formats/oci/reference.ts';
import type { ContainerContext } from '../container/context.ts';
import type { Execs } from '../container/execs.ts';
import type { EventBus } from '../events/events.ts';
import type { Source, Target } from '../graph/graph.ts';
import type { ImageContext } from '../image/context.ts';

/** A login at a registry, as clients send it. */
export interface RegistryLogin {
  readonly username?: string;
  readonly password?: string;
  /** A refresh token in place of a password. */
  readonly identityToken?: string;
  readonly registryToken?: string;
  readonly serverAddress?: string;
}

/** One hit of a search. */
export interface SearchHit {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
  readonly automated: boolean;
}

/** The registries an engine talks to. */
export interface Registries {
  /** Opens a repository for a pull or a push. */
  open(reference: Reference, login: RegistryLogin | undefined, signal: AbortSignal): Promise<Source & Target>;
  search(
    term: string,
    limit: number,
    login: RegistryLogin | undefined,
    signal: AbortSignal,
  ): Promise<readonly SearchHit[]>;
  /** Checks a login; returns the registry's word about it. @throws {EngineError} unauthenticated */
  login(
    login: RegistryLogin,
    signal: AbortSignal,
  ): Promise<{ readonly status: string; readonly identityToken: string }>;
  readonly mirrors: readonly string[];
  readonly insecure: readonly string[];
}

/** What an engine knows of itself and of its machine. */
export interface EngineFacts {
  readonly id: string;
  readonly version: string;
  readonly gitCommit: string;
  readonly dataRoot: string;
  readonly kernelVersion: string;
  readonly operatingSystem: string;
  readonly operatingSystemVersion: string;
  readonly processorCount: number;
  readonly memoryBytes: number;
  readonly hostName: string;
  readonly cgroupVersion: 1 | 2;
  /** Paths by name. */
  readonly runtimes: Readonly<Record<string, string>>;
  readonly defaultRuntime: string;
  readonly layerForm: 'erofs' | 'directory';
  readonly securityOptions: readonly string[];
  readonly warnings: readonly string[];
}

/** What the routes answer from. */
export interface EngineServices {
  readonly containers: ContainerContext;
  readonly execs: Execs;
  readonly images: ImageContext;
  readonly database: Database;
  readonly registries: Registries;
  readonly events: EventBus;
  readonly clock: Clock;
  readonly facts: EngineFacts;
}

/** The name of the storage driver in replies: docker's for layers mounted under an overlay. */
export const driverName = 'overlayfs';

/** A descriptor as replies show it. */
export type ShownDescriptor = Pick<Descriptor, 'mediaType' | 'digest' | 'size'>;
