import { isIP } from 'node:net';
import { EngineError } from '../base/errors.ts';
import { defaultRegistry } from '../formats/oci/reference.ts';

/** Which registries are reached how. */
export interface HostsConfig {
  /** Mirrors of `docker.io`, as URLs (`http://127.0.0.1:5000`), tried in order before it when pulling. */
  readonly mirrors?: readonly string[];
  /** Registries that may speak HTTP or show any certificate: `host`, `host:port`, or an address range `10.0.0.0/8`. */
  readonly insecureRegistries?: readonly string[];
}

/** One place that serves a registry's content. */
export interface Endpoint {
  /** Host and port, as the credentials for it are looked up. */
  readonly host: string;
  /** Addresses to try in order until one answers; the first is HTTPS unless the endpoint was configured otherwise. */
  readonly bases: readonly URL[];
  /** Whether its certificate must be good. */
  readonly verifyTls: boolean;
  readonly isMirror: boolean;
}

/** Whether a host name or address is this machine itself. */
export function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** Whether a host (`name`, `name:port`) may be spoken to without TLS: loopback and what is listed. */
export function isInsecure(host: string, config: HostsConfig): boolean {
  const { hostname } = new URL(`http://${host}`);
  if (isLoopback(hostname)) return true;
  return (config.insecureRegistries ?? []).some((entry) => {
    const bare = entry.replace(/^https?:\/\//, '').replace(/\/+$/, '');
    if (bare === host || bare === hostname) return true;
    return isIP(hostname) === 4 && inRange(hostname, bare);
  });
}

function inRange(address: string, range: string): boolean {
  const [network = '', lengthText = ''] = range.split('/');
  const length = Number(lengthText);
  if (isIP(network) !== 4 || lengthText === '' || !(length >= 0 && length <= 32)) return false;
  const mask = length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
  return (addressNumber(address) & mask) >>> 0 === (addressNumber(network) & mask) >>> 0;
}

function addressNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Returns where a registry itself is reached. */
export function registryEndpoint(registry: string, config: HostsConfig): Endpoint {
  const host = registry === defaultRegistry ? 'registry-1.docker.io' : registry;
  const insecure = isInsecure(host, config);
  const secureBase = hostUrl('https', host);
  return {
    host: registry,
    bases: insecure ? [secureBase, hostUrl('http', host)] : [secureBase],
    verifyTls: !insecure,
    isMirror: false,
  };
}

function hostUrl(scheme: string, host: string): URL {
  try {
    return new URL(`${scheme}://${host}/`);
  } catch (error) {
    throw new EngineError('invalidArgument', `invalid registry ${JSON.stringify(host)}`, { cause: error });
  }
}

/**
 * Returns where content of a registry may be read, in the order to try: its mirrors, then itself.
 *
 * @throws {EngineError} invalidArgument when a mirror is no URL, or speaks HTTP without being loopback or listed as insecure.
 */
export function sourceEndpoints(registry: string, config: HostsConfig): readonly Endpoint[] {
  const mirrors = registry === defaultRegistry ? (config.mirrors ?? []) : [];
  return [...mirrors.map((mirror) => mirrorEndpoint(mirror, config)), registryEndpoint(registry, config)];
}

/** Returns a mirror's endpoint; throws as {@link sourceEndpoints}. */
export function mirrorEndpoint(mirror: string, config: HostsConfig): Endpoint {
  const url = URL.parse(mirror);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new EngineError('invalidArgument', `invalid mirror: ${JSON.stringify(mirror)} is not an http(s) URL`);
  }
  const insecure = isInsecure(url.host, config);
  if (url.protocol === 'http:' && !insecure) {
    throw new EngineError(
      'invalidArgument',
      `invalid mirror: ${url.host} speaks HTTP and is neither loopback nor listed as an insecure registry`,
    );
  }
  const path = url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`;
  return { host: url.host, bases: [new URL(path, url.origin)], verifyTls: !insecure, isMirror: true };
}
