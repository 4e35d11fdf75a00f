import { silentLogger, type Logger } from '../base/log.ts';
import type { Digest } from '../formats/oci/digest.ts';
import { defaultRegistry, type Reference } from '../formats/oci/reference.ts';
import type { CredentialLookup } from './credentials.ts';
import { mirrorEndpoint, registryEndpoint, sourceEndpoints, type Endpoint, type HostsConfig } from './hosts.ts';
import { Repository } from './repository.ts';
import { searchAt, type SearchResult } from './search.ts';
import { defaultPatience, RegistrySession, type Patience } from './session.ts';
import { Transport } from './transport.ts';

/** Settings of a {@link RegistryClient}. */
export interface RegistryClientOptions {
  readonly hosts?: HostsConfig;
  readonly log?: Logger;
  readonly patience?: Partial<Patience>;
}

/**
 * Speaks to registries (OCI distribution-spec 1.1, Docker Registry API v2). It keeps connections; credentials and tokens live
 * as long as the repository that was opened with them, so that no user's rights leak into another's call.
 *
 * @example
 *   using client = new RegistryClient({ hosts: { mirrors: ['http://127.0.0.1:5000'] } });
 *   const repository = client.openRepository(parseReference('busybox'), { credentials });
 *   await copyGraph(repository, contentGraph, await repository.resolve('latest'));
 */
export class RegistryClient implements Disposable {
  readonly #hosts: HostsConfig;
  readonly #log: Logger;
  readonly #patience: Patience;
  readonly #transport: Transport;

  constructor(options: RegistryClientOptions = {}) {
    this.#hosts = options.hosts ?? {};
    this.#log = options.log ?? silentLogger;
    this.#patience = { ...defaultPatience, ...options.patience };
    this.#transport = new Transport({ stallTimeoutMs: this.#patience.stallTimeoutMs });
  }

  /**
   * Returns a repository; nothing is sent yet.
   *
   * @throws {EngineError} invalidArgument when a configured mirror cannot be used.
   */
  openRepository(
    reference: Reference,
    options: {
      readonly credentials?: CredentialLookup | undefined;
      /** Repositories of the same registry that may have a blob already. */
      readonly mountFrom?: ((digest: Digest) => readonly string[]) | undefined;
    } = {},
  ): Repository {
    const sources = sourceEndpoints(reference.registry, this.#hosts).map((endpoint) =>
      this.#session(endpoint, options.credentials),
    );
    const registry =
      sources.at(-1) ?? this.#session(registryEndpoint(reference.registry, this.#hosts), options.credentials);
    return new Repository({ reference, sources, registry, log: this.#log, mountFrom: options.mountFrom });
  }

  /**
   * Asks a registry whether it accepts credentials (`docker login`).
   *
   * @throws {RegistryError} unauthenticated when it does not.
   */
  async checkCredentials(
    registry: string,
    credentials: CredentialLookup,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const session = this.#session(registryEndpoint(registry, this.#hosts), credentials);
    const response = await session.send({ method: 'GET', path: 'v2/', scopes: [], signal: options.signal });
    response.discard();
  }

  /** Searches a registry; `docker.io` is searched at its first mirror, where there is one. */
  async search(
    registry: string,
    term: string,
    options: {
      readonly limit: number;
      readonly credentials?: CredentialLookup | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<readonly SearchResult[]> {
    return searchAt(this.#session(this.#searchEndpoint(registry), options.credentials), term, options);
  }

  #searchEndpoint(registry: string): Endpoint {
    if (registry !== defaultRegistry) return registryEndpoint(registry, this.#hosts);
    const [mirror] = this.#hosts.mirrors ?? [];
    return mirror === undefined
      ? registryEndpoint('index.docker.io', this.#hosts)
      : mirrorEndpoint(mirror, this.#hosts);
  }

  #session(endpoint: Endpoint, credentials: CredentialLookup | undefined): RegistrySession {
    return new RegistrySession({
      endpoint,
      transport: this.#transport,
      patience: this.#patience,
      hosts: this.#hosts,
      credentials: async () => credentials?.(endpoint.host),
    });
  }

  /** Closes idle connections. */
  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}
