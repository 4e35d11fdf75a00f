import type { JsonObject } from '../base/json.ts';
import { parseReference, type Reference } from '../formats/oci/reference.ts';
import { registryAuth } from './registry-auth.ts';
import type { Session } from './session.ts';

/** An image to be pulled. */
export interface PullRequest {
  readonly reference: string;
  readonly platform: string;
  readonly allTags?: boolean;
}

/** Starts a pull and yields its messages. */
export async function* pullImage(
  session: Session,
  { reference, platform, allTags = false }: PullRequest,
): AsyncGenerator<JsonObject, void, void> {
  const parsed = parseReference(reference);
  const name = familiarRepository(parsed);
  const tag = parsed.digest ?? parsed.tag ?? 'latest';
  yield* session.engine.stream('POST', '/images/create', {
    query: { fromImage: name, tag: allTags ? undefined : tag, platform },
    headers: { 'X-Registry-Auth': await registryAuth(session, reference) },
  });
}

/** Returns a repository as people write it: without `docker.io/library/`. */
export function familiarRepository({ registry, repository }: Reference): string {
  if (registry !== 'docker.io') return `${registry}/${repository}`;
  const short = repository.replace(/^library\//, '');
  return short.includes('/') ? repository : short;
}

/** Returns a reference as people write it, with tag and digest as far as it has them. */
export function familiarReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return familiarRepository(reference) + tag + digest;
}
