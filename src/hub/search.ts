import type { ServerResponse } from 'node:http';
import type { RepositoryCatalog, RepositorySummary } from '../registry/metadata.ts';

const officialPrefix = 'library/';
const defaultLimit = 25;
const limitMost = 100;

/** Answers `/v1/search` as Docker Hub's index does (Docker Registry API v1): official names come without `library/`. */
export async function sendSearch(
  catalog: RepositoryCatalog,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const term = (query.get('q') ?? '').trim();
  const asked = Number(query.get('n') ?? defaultLimit);
  const limit = Number.isInteger(asked) && asked > 0 ? Math.min(asked, limitMost) : defaultLimit;
  const wanted = term.startsWith(officialPrefix) ? term.slice(officialPrefix.length) : term;
  const found = await catalog.searchRepositories(wanted, limit);
  sendDocument(response, 200, {
    query: term,
    num_results: found.length,
    num_pages: 1,
    page: 1,
    page_size: limit,
    results: found.map(searchResult),
  });
}

function searchResult(repository: RepositorySummary): object {
  const isOfficial = repository.name.startsWith(officialPrefix);
  return {
    name: isOfficial ? repository.name.slice(officialPrefix.length) : repository.name,
    description: repository.description,
    star_count: repository.starCount,
    is_official: isOfficial,
    is_automated: false,
  };
}

/** Answers with a JSON document. */
export function sendDocument(response: ServerResponse, status: number, document: unknown): void {
  const content = Buffer.from(JSON.stringify(document));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': content.length });
  response.end(response.req.method === 'HEAD' ? undefined : content);
}
