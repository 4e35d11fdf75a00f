import { mediaTypes } from '../../formats/oci/media-types.ts';
import { isTag } from '../../formats/oci/reference.ts';
import { listReferrers } from '../manifests.ts';
import { problem } from '../protocol-error.ts';
import { digestIn } from './blobs.ts';
import { sendJson } from './errors.ts';
import { nextLink, pageOf, type Exchange } from './exchange.ts';

const referrersPage = 1000;
const catalogPage = 1000;
const historyPage = 1000;
/** Without `n` a client expects all tags: this is all that one answer can hold. */
const tagsPage = 10_000;

/** GET `tags/list` (end-8a, 8b). */
export async function listTags(exchange: Exchange): Promise<void> {
  const { registry, repository, query, response } = exchange;
  const { after, limit } = pageOf(query, tagsPage);
  const tags = await registry.metadata.listTags(repository, { after, limit: limit + 1 });
  if (!tags) throw problem('NAME_UNKNOWN', 'repository name not known to registry', { name: repository });
  const page = tags.slice(0, limit);
  const last = page.at(-1);
  if (tags.length > limit && last !== undefined) {
    response.setHeader('link', nextLink(`/v2/${repository}/tags/list`, { n: String(limit), last }));
  }
  sendJson(response, 200, { name: repository, tags: page });
}

/** GET `_catalog`: repositories that hold something. */
export async function listCatalog(exchange: Exchange): Promise<void> {
  const { registry, query, response } = exchange;
  const { after, limit } = pageOf(query, catalogPage);
  const names = await registry.metadata.listRepositories({ after, limit: limit + 1 });
  const page = names.slice(0, limit);
  const last = page.at(-1);
  if (names.length > limit && last !== undefined) {
    response.setHeader('link', nextLink('/v2/_catalog', { n: String(limit), last }));
  }
  sendJson(response, 200, { repositories: page });
}

/** GET `referrers/<digest>` (end-12a, 12b): never 404. */
export async function getReferrers(exchange: Exchange): Promise<void> {
  const { registry, repository, query, response } = exchange;
  const subject = digestIn(exchange.target);
  const artifactType = query.get('artifactType') ?? undefined;
  const page = { after: query.get('last') ?? undefined, limit: referrersPage };
  const manifests = await listReferrers(registry.metadata, repository, subject, artifactType, page);
  const last = manifests[referrersPage - 1];
  if (last) {
    const filter = artifactType === undefined ? {} : { artifactType };
    response.setHeader('link', nextLink(`/v2/${repository}/referrers/${subject}`, { ...filter, last: last.digest }));
  }
  if (artifactType !== undefined) response.setHeader('oci-filters-applied', 'artifactType');
  sendJson(response, 200, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, mediaTypes.ociIndex);
}

/** GET `_oci/tag-history/<tag>` (distribution-spec pull request 606, a draft): newest first; it outlives the tag. */
export async function getTagHistory(exchange: Exchange): Promise<void> {
  const { registry, repository, target, query, response } = exchange;
  if (!isTag(target)) throw problem('TAG_INVALID', 'manifest tag is malformed', { tag: target });
  const { limit } = pageOf(query, historyPage);
  const entries = await registry.metadata.tagHistory(repository, target, limit);
  if (entries.length === 0) throw problem('MANIFEST_UNKNOWN', 'manifest unknown', { name: repository, tag: target });
  const history = entries.map((entry) => ({
    sequence: entry.sequence,
    time: entry.time,
    actor: entry.actor,
    verb: entry.verb,
    ...(entry.oldDigest === undefined ? {} : { previous: entry.oldDigest }),
    ...(entry.newDigest === undefined
      ? {}
      : { descriptor: { mediaType: entry.mediaType, digest: entry.newDigest, size: entry.sizeBytes } }),
    ...(entry.message === '' ? {} : { message: entry.message }),
  }));
  sendJson(response, 200, { name: repository, tag: target, history });
}

/** GET `_oci/ext/discover`: which extensions there are. */
export async function discoverExtensions(exchange: Exchange): Promise<void> {
  const extension = {
    name: '_oci',
    url: 'https://github.com/opencontainers/distribution-spec/pull/606',
    description: 'history of tags (draft)',
    endpoints: ['_oci/tag-history/'],
  };
  sendJson(exchange.response, 200, { extensions: [extension] });
}
