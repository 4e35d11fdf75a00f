import { EngineError } from '../base/errors.ts';
import { collect } from '../base/streams.ts';
import { isJsonObject } from '../formats/oci/descriptor.ts';
import type { RegistrySession } from './session.ts';

/** One repository that a search found. */
export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly starCount: number;
  readonly isOfficial: boolean;
}

const answerLimitBytes = 8 << 20;

/** Asks a registry's `/v1/search` (Docker Registry API v1, as `docker search` uses it). */
export async function searchAt(
  session: RegistrySession,
  term: string,
  options: { readonly limit: number; readonly signal?: AbortSignal | undefined },
): Promise<readonly SearchResult[]> {
  const query = new URLSearchParams({ q: term, n: String(options.limit) });
  const response = await session.send({
    method: 'GET',
    path: `v1/search?${query.toString()}`,
    scopes: ['registry:catalog:search'],
    signal: options.signal,
  });
  const { host } = session.endpoint;
  const body = await collect(response.body, answerLimitBytes, `search results of ${host}`);
  let document: unknown;
  try {
    document = JSON.parse(body.toString());
  } catch (error) {
    throw new EngineError('unavailable', `${host} did not answer the search in JSON`, { cause: error });
  }
  const results = isJsonObject(document) ? document['results'] : undefined;
  if (!Array.isArray(results)) throw new EngineError('unavailable', `${host} answered the search without results`);
  return results.filter(isJsonObject).map((result) => ({
    name: typeof result['name'] === 'string' ? result['name'] : '',
    description: typeof result['description'] === 'string' ? result['description'] : '',
    starCount: typeof result['star_count'] === 'number' ? result['star_count'] : 0,
    isOfficial: result['is_official'] === true,
  }));
}
