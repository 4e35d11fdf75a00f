import { EngineError } from '../../base/errors.ts';
import { pauseContainer } from '../../container/end.ts';
import { publishContainerEvent } from '../../container/context.ts';
import { isRunning } from '../../container/lifecycle.ts';
import { parseContainerConfig } from '../../formats/engine-api/container-config.ts';
import type { RunConfig } from '../../formats/oci/config.ts';
import { formatFamiliar } from '../../formats/oci/reference.ts';
import { commitImage } from '../../image/commit.ts';
import type { EngineServices } from '../../engine/services.ts';
import { applyChanges } from '../convert/commit-changes.ts';
import { queryFlag, type ApiReply, type ApiRequest, type Route } from '../route.ts';
import { targetReference } from './images.ts';

/** The route that makes an image of a container. */
export function commitRoutes(services: EngineServices): readonly Route[] {
  return [{ method: 'POST', path: '/commit', handler: (request, reply) => commit(services, request, reply) }];
}

async function commit(services: EngineServices, request: ApiRequest, reply: ApiReply): Promise<void> {
  const { query, signal } = request;
  const { containers, images } = services;
  const instance = containers.registry.get(query.get('container') ?? '');
  const { record } = instance;
  const repository = query.get('repo') ?? '';
  const reference = repository === '' ? undefined : targetReference(repository, query.get('tag') ?? '');
  if (record.state.status === 'removing' || record.state.status === 'dead') {
    throw new EngineError(
      'conflict',
      `You cannot commit container ${record.id} which is ${record.state.status === 'dead' ? 'Dead' : 'being removed'}`,
    );
  }
  const body = await request.body();
  const base =
    Object.keys(body).length === 0
      ? configOf(record.config)
      : { ...configOf(record.config), ...configOf(parseContainerConfig(body)) };
  const config = applyChanges(
    base,
    query.getAll('changes').flatMap((text) => text.split('\n')),
  );
  const comment = query.get('comment') ?? '';
  // Paused unless the caller says otherwise, so that the change is of one moment.
  const pause = (query.get('pause') === null || queryFlag(query, 'pause')) && record.state.status === 'running';
  if (pause) await pauseContainer(containers, instance, 'paused');
  let descriptor;
  try {
    descriptor = await commitImage(images, {
      base: { digest: record.imageDigest, manifest: record.manifest },
      upperDirectory: containers.snapshotter.upperDirectory(record.id),
      config,
      author: query.get('author') ?? '',
      comment,
      createdBy: record.args.join(' '),
      ...(reference ? { reference } : {}),
      actor: 'api',
      signal,
    });
  } finally {
    if (pause && isRunning(instance.record.state)) await pauseContainer(containers, instance, 'unpaused');
  }
  const name = reference ? formatFamiliar(reference) : '';
  services.events.publish('image', 'create', descriptor.digest, { name: descriptor.digest });
  if (reference) services.events.publish('image', 'tag', descriptor.digest, { name });
  publishContainerEvent(containers, 'commit', record, { comment, imageID: descriptor.digest, imageRef: name });
  reply.json(201, { Id: descriptor.digest });
}

/** The part of a container's configuration that its image keeps. */
function configOf(config: ReturnType<typeof parseContainerConfig>): RunConfig {
  const {
    User,
    ExposedPorts,
    Env,
    Entrypoint,
    Cmd,
    Volumes,
    WorkingDir,
    Labels,
    StopSignal,
    StopTimeout,
    Shell,
    Healthcheck,
  } = config;
  return {
    ...(User === '' ? {} : { User }),
    ...(ExposedPorts ? { ExposedPorts } : {}),
    ...(Env ? { Env } : {}),
    ...(Entrypoint ? { Entrypoint } : {}),
    ...(Cmd ? { Cmd } : {}),
    ...(Volumes ? { Volumes } : {}),
    ...(WorkingDir === '' ? {} : { WorkingDir }),
    ...(Object.keys(Labels).length > 0 ? { Labels } : {}),
    ...(StopSignal === undefined ? {} : { StopSignal }),
    ...(StopTimeout === undefined ? {} : { StopTimeout }),
    ...(Shell ? { Shell } : {}),
    ...(Healthcheck ? { Healthcheck } : {}),
  };
}
