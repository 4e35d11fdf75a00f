import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { EngineError, isErrorCode } from '../base/errors.ts';
import { newId, shortId } from '../base/ids.ts';
import type { ContainerConfig } from '../formats/engine-api/container-config.ts';
import type { HostConfig } from '../formats/engine-api/host-config.ts';
import type { RunConfig } from '../formats/oci/config.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { Platform } from '../formats/oci/platform.ts';
import type { Edge } from '../gc/references.ts';
import { checkHostConfig } from './check-host-config.ts';
import { publishContainerEvent, type ContainerContext } from './context.ts';
import type { ContainerInstance } from './instance.ts';
import { createdState } from './lifecycle.ts';
import { mergeImageConfig, programOf } from './merge.ts';
import { requestedMounts } from './mount-requests.ts';
import { checkName, generateName } from './names.ts';
import { portRequests } from './port-requests.ts';
import type { ContainerMount, ContainerRecord } from './record.ts';
import { parseSecurityOptions } from './spec-input.ts';

/** What a container is made of: the image's side. */
export interface ContainerImage {
  readonly digest: Digest;
  readonly manifest: Descriptor;
  readonly platform: Platform;
  readonly config: RunConfig;
  readonly diffIds: readonly Digest[];
}

/** What a container is made of: the caller's side. */
export interface CreateRequest {
  readonly name?: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly image: ContainerImage;
}

/**
 * Makes a container, durably: its record and its writable layer.
 *
 * @throws {EngineError} invalidArgument, conflict (the name is taken) or notImplemented, in docker's words where it has some.
 */
export async function createContainer(context: ContainerContext, request: CreateRequest): Promise<ContainerInstance> {
  const { image } = request;
  const id = newId();
  const name =
    request.name === undefined ? generateName((taken) => context.registry.isNameTaken(taken)) : checkName(request.name);
  const config = withHostname(mergeImageConfig(request.config, image.config), request.hostConfig, id);
  const hostConfig = withAbilities(request.hostConfig, context);
  checkHostConfig(hostConfig, config, context.abilities);
  const args = programOf(config);
  portRequests(config, hostConfig);
  parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  const mounts = requestedMounts(hostConfig);
  if (config.Volumes !== null) refuseVolumes(config.Volumes, mounts);
  if (config.WorkingDir !== '' && !path.isAbsolute(config.WorkingDir)) {
    throw new EngineError(
      'invalidArgument',
      `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`,
    );
  }
  using _name = context.registry.reserve(name, id);
  await checkBindSources(mounts, hostConfig);
  const record: ContainerRecord = {
    id,
    name,
    created: context.clock.now().toISOString(),
    imageDigest: image.digest,
    manifest: image.manifest,
    platform: image.platform,
    config,
    hostConfig,
    args,
    mounts,
    state: createdState,
  };
  const needs: readonly Edge[] = [
    { kind: 'blob', target: image.digest },
    { kind: 'blob', target: image.manifest.digest },
    ...image.diffIds.map((target) => ({ kind: 'layer', target }) as const),
  ];
  // The image may be removed meanwhile: what is held stays until the record needs it.
  using hold = context.holds.begin();
  await hold.keep(...needs);
  const instance = await makeDurably(context, record, image, needs);
  publishContainerEvent(context, 'create', record);
  return instance;
}

async function makeDurably(
  context: ContainerContext,
  record: ContainerRecord,
  image: ContainerImage,
  needs: readonly Edge[],
): Promise<ContainerInstance> {
  const { id, hostConfig } = record;
  const directory = path.join(context.dataDirectory, id);
  try {
    await mkdir(directory, { mode: 0o710 });
    await context.snapshotter.prepare(id, [context.mountpointsLayer, ...image.diffIds], {
      volatile: hostConfig.AutoRemove,
    });
    return await context.registry.add(record, needs);
  } catch (error) {
    await context.snapshotter.remove(id);
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

function withHostname(config: ContainerConfig, hostConfig: HostConfig, id: string): ContainerConfig {
  if (config.Hostname !== '') return config;
  return hostConfig.NetworkMode === 'host' || hostConfig.UTSMode === 'host'
    ? config
    : { ...config, Hostname: shortId(id) };
}

function withAbilities(hostConfig: HostConfig, { abilities }: ContainerContext): HostConfig {
  return {
    ...hostConfig,
    Runtime: hostConfig.Runtime || abilities.defaultRuntime,
    CgroupnsMode: hostConfig.CgroupnsMode || (abilities.cgroupVersion === 2 ? 'private' : 'host'),
  };
}

/** A path that an image declares as a volume and the caller mounts something on needs no volume. */
function refuseVolumes(volumes: Readonly<Record<string, object>>, mounts: readonly ContainerMount[]): void {
  const [missing] = Object.keys(volumes).filter(
    (destination) => !mounts.some((mount) => mount.destination === path.normalize(destination)),
  );
  if (missing === undefined) return;
  throw new EngineError(
    'notImplemented',
    `volume at ${missing}: volumes are not served by this engine yet; mount a directory or a tmpfs there`,
  );
}

/** The source of `-v` is made when it is missing, that of `--mount type=bind` must be there. */
async function checkBindSources(mounts: readonly ContainerMount[], hostConfig: HostConfig): Promise<void> {
  for (const { type, source } of mounts) {
    if (type !== 'bind') continue;
    try {
      await stat(source);
    } catch (error) {
      if (!isErrorCode(error, 'ENOENT')) throw error;
      const strict = (hostConfig.Mounts ?? []).some(
        (mount) => path.normalize(mount.Source) === source && mount.BindOptions['CreateMountpoint'] !== true,
      );
      if (strict)
        throw new EngineError(
          'invalidArgument',
          `invalid mount config for type "bind": bind source path does not exist: ${source}`,
        );
      await mkdir(source, { recursive: true, mode: 0o755 });
    }
  }
}
