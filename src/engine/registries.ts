import type { CredentialLookup, RegistryCredentials } from '../remote/credentials.ts';
import { RegistryClient, type RegistryClientOptions } from '../remote/registry-client.ts';
import { defaultRegistry } from '../formats/oci/reference.ts';
import type { ImageStore } from '../image/records.ts';
import { canonicalName, parseReference } from '../formats/oci/reference.ts';
import type { Registries, RegistryLogin } from './services.ts';

/** Where registries are found. */
export interface RegistrySettings {
  readonly mirrors: readonly string[];
  readonly insecure: readonly string[];
}

/** Connects the services with the registry client. The returned object closes its connections when disposed. */
export function createRegistries(
  settings: RegistrySettings,
  store: ImageStore,
  options: Pick<RegistryClientOptions, 'log' | 'patience'>,
): Registries & Disposable {
  const client = new RegistryClient({
    ...options,
    hosts: { mirrors: settings.mirrors, insecureRegistries: settings.insecure },
  });
  return {
    mirrors: settings.mirrors,
    insecure: settings.insecure,
    open: (reference, login) =>
      Promise.resolve(
        client.openRepository(reference, {
          credentials: lookup(login, reference.registry),
          mountFrom: () => siblings(store, reference.registry, canonicalName(reference)),
        }),
      ),
    search: async (term, limit, login, signal) => {
      // `host/term` searches that registry, a bare term the default one.
      const slash = term.indexOf('/');
      const first = term.slice(0, Math.max(0, slash));
      const registry = /[.:]|^localhost$/.test(first) ? first : defaultRegistry;
      const rest = registry === defaultRegistry ? term : term.slice(slash + 1);
      const hits = await client.search(registry, rest, { limit, credentials: lookup(login, registry), signal });
      return hits.map(({ name, description, starCount, isOfficial }) => ({
        name: registry === defaultRegistry ? name : `${registry}/${name}`,
        description,
        stars: starCount,
        official: isOfficial,
        automated: false,
      }));
    },
    login: async (login, signal) => {
      const registry = registryOf(login.serverAddress ?? '');
      await client.checkCredentials(registry, (host) => credentialsOf(login, registry, host), { signal });
      return { status: 'Login Succeeded', identityToken: '' };
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

/** Docker's address of its own hub stands for `docker.io`. */
function registryOf(serverAddress: string): string {
  const host = serverAddress.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io' ? defaultRegistry : host;
}

/** A login is for one registry: a mirror of it does not get to see it. */
function lookup(login: RegistryLogin | undefined, registry: string): CredentialLookup | undefined {
  return login && ((host) => credentialsOf(login, registry, host));
}

function credentialsOf(login: RegistryLogin, registry: string, host: string): RegistryCredentials | undefined {
  if (host !== registry) return undefined;
  const { username, password, identityToken, registryToken } = login;
  if (registryToken !== undefined) return { kind: 'registryToken', token: registryToken };
  if (identityToken !== undefined) return { kind: 'identityToken', token: identityToken };
  return username === undefined || password === undefined ? undefined : { kind: 'password', username, password };
}

/** Repositories of a registry that this engine knows: one of them may have a blob that can be mounted. */
function siblings(store: ImageStore, registry: string, own: string): readonly string[] {
  const names = store.list().flatMap(({ names: known }) => known.map(parseReference));
  const repositories = names
    .filter((name) => name.registry === registry && canonicalName(name) !== own)
    .map(({ repository }) => repository);
  return [...new Set(repositories)];
}
