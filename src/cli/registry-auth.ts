import { parseReference } from '../formats/oci/reference.ts';
import type { DockerCredentials } from '../config/docker-config.ts';
import type { Session } from './session.ts';

/** The key under which docker.io's credentials are filed. */
export const officialServer = 'https://index.docker.io/v1/';

/** Returns the header that tells the engine who the user is at an image's registry. */
export async function registryAuth(session: Session, image: string): Promise<string> {
  const { registry } = parseReference(image);
  return encodeAuth(registry, await (await session.config()).credentials(registry));
}

/** Encodes credentials as `X-Registry-Auth` takes them; nothing known is an empty object. */
export function encodeAuth(registry: string, credentials: DockerCredentials | undefined): string {
  const { username, password, identityToken, registryToken } = credentials ?? {};
  const fields = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(credentials ? { serveraddress: registry === 'docker.io' ? officialServer : registry } : {}),
    ...(identityToken === undefined ? {} : { identitytoken: identityToken }),
    ...(registryToken === undefined ? {} : { registrytoken: registryToken }),
  };
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}
