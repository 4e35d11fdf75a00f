/** What a user has for one registry. */
export type RegistryCredentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** A refresh token from an earlier login, spent at the token service only. */
  | { readonly kind: 'identityToken'; readonly token: string }
  /** A ready bearer token for the registry itself. */
  | { readonly kind: 'registryToken'; readonly token: string };

/** Looks up what the user has for a registry; `host` is `docker.io`, `host:port`, or a mirror's host. */
export type CredentialLookup = (
  host: string,
) => RegistryCredentials | undefined | Promise<RegistryCredentials | undefined>;
