import type { HistoryEntry, ImageConfig, RunConfig } from '../../formats/oci/config.ts';
import { canonicalName, familiarName, formatFamiliar, parseReference } from '../../formats/oci/reference.ts';
import type { NamedImage } from '../../image/records.ts';
import { atLeast, type ApiVersion } from '../route.ts';

/** Returns the names of an image as docker lists them: those with a tag, and `repository@digest` for every repository. */
export function imageNames(image: NamedImage): {
  readonly tags: readonly string[];
  readonly digests: readonly string[];
} {
  const references = image.names.map(parseReference);
  const tags = references.filter(({ tag }) => tag !== undefined).map(formatFamiliar);
  const repositories = new Map(
    references.map((reference) => [canonicalName(reference), familiarName(reference)] as const),
  );
  return { tags, digests: [...repositories.values()].map((name) => `${name}@${image.descriptor.digest}`) };
}

/** Bytes on disk: blobs and unpacked layers. */
export function imageSize(image: NamedImage): number {
  return image.contentSizeBytes + image.unpackedSizeBytes;
}

/** Returns an image as `GET /images/json` shows it (ImageSummary). */
export function summarizeImage(
  image: NamedImage,
  options: { readonly version: ApiVersion; readonly containers: number; readonly sharedSizeBytes?: number },
): object {
  const { tags, digests } = imageNames(image);
  const counted = atLeast(options.version, 51);
  return {
    Containers: counted ? options.containers : -1,
    Created: Math.floor(Date.parse(image.created) / 1000) || 0,
    Id: image.descriptor.digest,
    Labels: Object.keys(image.labels).length > 0 ? image.labels : null,
    ParentId: '',
    ...(atLeast(options.version, 48) ? { Descriptor: image.descriptor } : {}),
    RepoDigests: digests,
    RepoTags: tags,
    SharedSize: options.sharedSizeBytes ?? -1,
    Size: imageSize(image),
    ...(atLeast(options.version, 44) ? {} : { VirtualSize: imageSize(image) }),
  };
}

/** Returns an image as `GET /images/{name}/json` shows it (ImageInspect). */
export function inspectImage(
  image: NamedImage,
  config: ImageConfig,
  options: { readonly version: ApiVersion; readonly driver: string; readonly lastTagTime: string | undefined },
): object {
  const { tags, digests } = imageNames(image);
  const last = config.history.at(-1);
  const { variant } = config.platform;
  return {
    Id: image.descriptor.digest,
    RepoTags: tags,
    RepoDigests: digests,
    Parent: image.parent ?? '',
    Comment: last?.comment ?? '',
    Created: config.created ?? '',
    DockerVersion: '',
    Author: config.author ?? '',
    Architecture: config.platform.architecture,
    ...(variant === undefined ? {} : { Variant: variant }),
    Os: config.platform.os,
    Size: image.contentSizeBytes,
    ...(atLeast(options.version, 44) ? {} : { VirtualSize: image.contentSizeBytes }),
    GraphDriver: { Data: null, Name: options.driver },
    RootFS: { Type: 'layers', ...(image.diffIds.length > 0 ? { Layers: image.diffIds } : {}) },
    Metadata: { LastTagTime: options.lastTagTime ?? '0001-01-01T00:00:00Z' },
    ...(atLeast(options.version, 48) ? { Descriptor: image.descriptor } : {}),
    Config: { ...(atLeast(options.version, 50) ? {} : containerFields), ...inspectRunConfig(config.config) },
  };
}

/** What docker's image configurations carried along from containers before 1.50. */
const containerFields = {
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: '',
};

function inspectRunConfig(config: RunConfig): object {
  const { Cmd, Entrypoint, Env, Labels, OnBuild, User, Volumes, WorkingDir, ...rest } = config;
  return {
    ...rest,
    Cmd: Cmd ?? null,
    Entrypoint: Entrypoint ?? null,
    Env: Env ?? null,
    Labels: Labels ?? null,
    OnBuild: OnBuild ?? null,
    User: User ?? '',
    Volumes: Volumes ?? null,
    WorkingDir: WorkingDir ?? '',
  };
}

/** Returns an image's making as `GET /images/{name}/history` shows it, newest step first. */
export function imageHistory(
  image: NamedImage,
  history: readonly HistoryEntry[],
  layerSizes: readonly number[],
  ids: readonly { readonly id: string; readonly tags: readonly string[] }[],
): readonly object[] {
  let layer = 0;
  const steps = (history.length > 0 ? history : layerSizes.map((): HistoryEntry => ({}))).map((entry) => ({
    entry,
    size: entry.empty_layer === true ? 0 : (layerSizes[layer++] ?? 0),
  }));
  return steps.toReversed().map(({ entry, size }, index) => ({
    Comment: entry.comment ?? '',
    Created: entry.created === undefined ? 0 : Math.floor(Date.parse(entry.created) / 1000) || 0,
    CreatedBy: entry.created_by ?? '',
    Id: ids[index]?.id ?? '<missing>',
    Size: size,
    Tags: ids[index] && ids[index].tags.length > 0 ? ids[index].tags : null,
  }));
}
