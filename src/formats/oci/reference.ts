import { EngineError } from '../../base/errors.ts';
import { tryParseDigest, type Digest } from './digest.ts';

/** A parsed image name: where its repository is, and which of its images is meant (tag, digest, both or neither). */
export interface Reference {
  /** Host and port as people write it: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string;
  /** Path below the registry, without tag: `library/busybox`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** The registry of names that do not say theirs. */
export const defaultRegistry = 'docker.io';
const officialPrefix = 'library/';
const repositoryLimitCharacters = 255;

const pathComponent = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const repositoryPattern = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`);
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const hostPart = '(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])';
const registryPattern = new RegExp(`^(?:${hostPart}(?:\\.${hostPart})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);

/** Whether `text` may name a repository (OCI distribution-spec, Pulling manifests, `<name>`). */
export function isRepositoryName(text: string): boolean {
  return text.length <= repositoryLimitCharacters && repositoryPattern.test(text);
}

/** Whether `text` may be a tag. */
export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/**
 * Reads an image name as docker does: a first part without dot, colon or `localhost` belongs to the path, the registry is then
 * `docker.io`, and a single part there is below `library/`. Sets no default tag; see {@link withDefaultTag}.
 *
 * @throws {EngineError} invalidArgument with docker's texts.
 * @example parseReference('busybox:1.37') // { registry: 'docker.io', repository: 'library/busybox', tag: '1.37' }
 */
export function parseReference(text: string): Reference {
  if (/^[a-f0-9]{64}$/.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const { registry, remainder } = splitRegistry(text);
  const beforeColon = remainder.split(':', 1)[0] ?? '';
  if (beforeColon !== beforeColon.toLowerCase()) {
    throw invalid(`invalid reference format: repository name (${beforeColon}) must be lowercase`);
  }
  const match = /^([^:@]+)(?::([^:@]*))?(?:@(.*))?$/s.exec(remainder);
  const [, repository = '', tag, digestText] = match ?? [];
  const digest = digestText === undefined ? undefined : tryParseDigest(digestText);
  const sound =
    registryPattern.test(registry) &&
    repositoryPattern.test(repository) &&
    (tag === undefined || isTag(tag)) &&
    (digestText === undefined || digest !== undefined);
  if (!match || !sound) throw invalid('invalid reference format');
  if (repository.length > repositoryLimitCharacters) {
    throw invalid(
      `invalid reference format: repository name must not be more than ${repositoryLimitCharacters} characters`,
    );
  }
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

function splitRegistry(text: string): { readonly registry: string; readonly remainder: string } {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  let registry = isHost ? first : defaultRegistry;
  let remainder = isHost ? text.slice(slash + 1) : text;
  if (registry === 'index.docker.io') registry = defaultRegistry;
  if (registry === defaultRegistry && !remainder.includes('/')) remainder = officialPrefix + remainder;
  return { registry, remainder };
}

/** Returns the reference with tag `latest` when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** Returns `registry/repository`, the form under which names are kept. */
export function canonicalName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** Returns the name as people write it: without `docker.io/` and, there, without `library/`. */
export function familiarName(reference: Reference): string {
  if (reference.registry !== defaultRegistry) return canonicalName(reference);
  const { repository } = reference;
  const short = repository.startsWith(officialPrefix) ? repository.slice(officialPrefix.length) : repository;
  // `library/a/b` keeps its prefix: `a/b` is another repository.
  return short.includes('/') && short !== repository ? repository : short;
}

/** Returns the whole reference in the form under which names are kept: `docker.io/library/busybox:latest`. */
export function formatReference(reference: Reference): string {
  return canonicalName(reference) + suffix(reference);
}

/** Returns the whole reference as people write it: `busybox:latest`. */
export function formatFamiliar(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

function suffix(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return reference.digest === undefined ? tag : `${tag}@${reference.digest}`;
}
