import { EngineError } from '../base/errors.ts';
import type { JsonObject } from '../formats/oci/descriptor.ts';
import { parseJsonObject } from '../formats/oci/manifest.ts';
import type { RegistryLogin } from '../engine/services.ts';

/** Reads a login from a JSON object (AuthConfig). */
export function loginFrom(value: JsonObject): RegistryLogin {
  const text = (name: string): string | undefined => {
    const field = value[name];
    return typeof field === 'string' && field !== '' ? field : undefined;
  };
  const [username, password, identityToken, registryToken, serverAddress] = [
    'username',
    'password',
    'identitytoken',
    'registrytoken',
    'serveraddress',
  ].map(text);
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(identityToken === undefined ? {} : { identityToken }),
    ...(registryToken === undefined ? {} : { registryToken }),
    ...(serverAddress === undefined ? {} : { serverAddress }),
  };
}

/**
 * Reads the `X-Registry-Auth` header, base64url of a JSON object; `undefined` without one.
 *
 * @throws {EngineError} invalidArgument when it is malformed.
 */
export function loginFromHeader(header: string | readonly string[] | undefined): RegistryLogin | undefined {
  if (typeof header !== 'string' || header === '') return undefined;
  try {
    return loginFrom(parseJsonObject(Buffer.from(header, 'base64url'), 'X-Registry-Auth'));
  } catch (error) {
    throw new EngineError('invalidArgument', 'invalid X-Registry-Auth header: not base64 of a JSON object', {
      cause: error,
    });
  }
}
