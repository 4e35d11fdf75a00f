import { SingleFlight } from '../base/concurrency.ts';
import { EngineError } from '../base/errors.ts';
import { collect } from '../base/streams.ts';
import { isJsonObject } from '../formats/oci/descriptor.ts';
import { parseChallenges, type AuthChallenge } from '../formats/oci/www-authenticate.ts';
import type { RegistryCredentials } from './credentials.ts';
import { isLoopback } from './hosts.ts';
import { formatUpstreamErrors, parseUpstreamErrors, RegistryError } from './registry-error.ts';
import type { HttpRequest, HttpResponse } from './transport.ts';

interface Token {
  readonly value: string;
  readonly expiresAtMs: number;
}

/** How tokens are asked for. */
export interface TokenExchange {
  send(request: HttpRequest): Promise<HttpResponse>;
  /** Whether the token service may be spoken to without TLS. */
  mayBePlain(host: string): boolean;
  verifyTls(host: string): boolean;
  now(): number;
}

const clientId = 'slipway';
const answerLimitBytes = 1 << 20;
const defaultLifetimeSeconds = 60;

/**
 * Proves to one registry who asks (OCI distribution token and Basic authentication). Credentials go to the registry's own
 * origin, and to the token service that it names: over TLS, or where plain HTTP is allowed.
 */
export class Authorizer {
  readonly #exchange: TokenExchange;
  readonly #credentials: () => Promise<RegistryCredentials | undefined>;
  readonly #tokens = new Map<string, Token>();
  readonly #requests = new SingleFlight<Token>();
  #basic: string | undefined;

  constructor(exchange: TokenExchange, credentials: () => Promise<RegistryCredentials | undefined>) {
    this.#exchange = exchange;
    this.#credentials = credentials;
  }

  /** Returns the header that is known to be needed for these scopes. */
  header(scopes: readonly string[]): string | undefined {
    const token = this.#tokens.get(scopes.join(' '));
    if (token && token.expiresAtMs > this.#exchange.now()) return `Bearer ${token.value}`;
    return this.#basic;
  }

  /**
   * Takes up a registry's challenge; `header` returns what the next request should carry, if anything can help.
   *
   * @throws {RegistryError} when the token service refuses.
   */
  async answer(
    registry: URL,
    challengeHeader: string,
    scopes: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const challenges = parseChallenges(challengeHeader);
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer' && challenge.parameters.has('realm'));
    const credentials = await this.#credentials();
    if (bearer) {
      const token =
        credentials?.kind === 'registryToken'
          ? { value: credentials.token, expiresAtMs: Infinity }
          : await this.#requests.run(scopes.join(' '), () =>
              this.#requestToken(registry, bearer, scopes, credentials, signal),
            );
      this.#tokens.set(scopes.join(' '), token);
      return;
    }
    const basic = challenges.some((challenge) => challenge.scheme === 'basic');
    if (basic && credentials?.kind === 'password') this.#basic = basicHeader(credentials);
  }

  async #requestToken(
    registry: URL,
    challenge: AuthChallenge,
    scopes: readonly string[],
    credentials: RegistryCredentials | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const realm = this.#realm(registry, challenge);
    const service = challenge.parameters.get('service') ?? '';
    const wanted = [...new Set([...scopes, ...(challenge.parameters.get('scope') ?? '').split(' ').filter(Boolean)])];
    const trusted = realm.protocol === 'https:' || this.#exchange.mayBePlain(realm.host);
    if (credentials && !trusted) {
      throw new EngineError(
        'permissionDenied',
        `${registry.host} wants its credentials sent to ${realm.host} without encryption; refused`,
      );
    }
    const request = tokenRequest(realm, service, wanted, credentials);
    const verifyTls = this.#exchange.verifyTls(realm.host);
    const response = await this.#exchange.send({ ...request, verifyTls, ...(signal ? { signal } : {}) });
    const body = (await collect(response.body, answerLimitBytes, `answer of ${realm.host}`)).toString();
    if (response.status !== 200) throw refusal(realm, response.status, body);
    return parseToken(body, realm, this.#exchange.now());
  }

  #realm(registry: URL, challenge: AuthChallenge): URL {
    const text = challenge.parameters.get('realm') ?? '';
    const realm = URL.parse(text, registry);
    if (!realm || !/^https?:$/.test(realm.protocol)) {
      throw new EngineError('unavailable', `${registry.host} names an invalid token service ${JSON.stringify(text)}`);
    }
    if (isLoopback(realm.hostname) && !isLoopback(registry.hostname)) {
      throw new EngineError('permissionDenied', `${registry.host} names a token service on this machine; refused`);
    }
    realm.username = realm.password = '';
    return realm;
  }
}

function basicHeader(credentials: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

function tokenRequest(
  realm: URL,
  service: string,
  scopes: readonly string[],
  credentials: RegistryCredentials | undefined,
): Pick<HttpRequest, 'method' | 'url' | 'headers' | 'body'> {
  if (credentials?.kind === 'identityToken') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      service,
      client_id: clientId,
      scope: scopes.join(' '),
      refresh_token: credentials.token,
    });
    const content = Buffer.from(form.toString());
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = { sizeBytes: content.length, open: () => Promise.resolve(oneChunk(content)) };
    return { method: 'POST', url: realm, headers, body };
  }
  const url = new URL(realm);
  if (service !== '') url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credentials?.kind !== 'password') return { method: 'GET', url, headers: {} };
  url.searchParams.set('account', credentials.username);
  url.searchParams.set('client_id', clientId);
  return { method: 'GET', url, headers: { authorization: basicHeader(credentials) } };
}

async function* oneChunk(content: Buffer): AsyncIterable<Uint8Array> {
  yield content;
}

function refusal(realm: URL, status: number, body: string): RegistryError {
  const errors = parseUpstreamErrors(body);
  const reason = errors.length > 0 ? formatUpstreamErrors(errors) : `unexpected status ${status}`;
  const message =
    status === 401 ? 'unauthorized: incorrect username or password' : `token service ${realm.host}: ${reason}`;
  return new RegistryError(message, { status, host: realm.host, errors });
}

function parseToken(body: string, realm: URL, now: number): Token {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch (error) {
    throw new EngineError('unavailable', `token service ${realm.host} did not answer in JSON`, { cause: error });
  }
  const fields = isJsonObject(document) ? document : {};
  const value = [fields['token'], fields['access_token']].find((field) => typeof field === 'string' && field !== '');
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw new EngineError('unavailable', `token service ${realm.host} gave no token`);
  }
  const announced = fields['expires_in'];
  const seconds = typeof announced === 'number' && announced > 0 ? announced : defaultLifetimeSeconds;
  // A little early: the request that carries it takes its time.
  return { value, expiresAtMs: now + seconds * 900 };
}
