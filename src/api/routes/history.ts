import { EngineError } from '../../base/errors.ts';
import { diffImages } from '../../history/diff-images.ts';
import { formatFamiliar, formatReference, parseReference, withDefaultTag } from '../../formats/oci/reference.ts';
import type { EngineServices } from '../../engine/services.ts';
import { listMoves } from '../../reflog/reflog.ts';
import { queryInteger, type ApiReply, type ApiRequest, type Route } from '../route.ts';

/** Slipway's own routes: an image is a repository with a history. */
export function historyRoutes(services: EngineServices): readonly Route[] {
  return [
    { method: 'GET', path: '/slipway/images/diff', handler: (request, reply) => diff(services, request, reply) },
    {
      method: 'POST',
      path: '/slipway/images/rollback',
      handler: (request, reply) => rollback(services, request, reply),
    },
    {
      method: 'GET',
      path: '/slipway/images/{name...}/log',
      handler: async (request, reply) => log(services, request, reply),
    },
  ];
}

function log({ database }: EngineServices, { params, query }: ApiRequest, reply: ApiReply): void {
  const reference = withDefaultTag(parseReference(params['name'] ?? ''));
  const limit = queryInteger(query, 'limit');
  const moves = listMoves(database, formatReference(reference), limit === undefined ? {} : { limit });
  if (moves.length === 0)
    throw new EngineError(
      'notFound',
      `No history of ${formatFamiliar(reference)}: this engine has never had that name`,
    );
  reply.json(
    200,
    moves.map(({ sequence, time, actor, verb, oldDigest, newDigest, message }) => ({
      sequence,
      time,
      actor,
      verb,
      oldDigest,
      newDigest,
      message,
    })),
  );
}

async function diff({ images }: EngineServices, { query, signal }: ApiRequest, reply: ApiReply): Promise<void> {
  const image = (name: string): ReturnType<typeof images.store.resolve>['image'] => {
    const text = query.get(name) ?? '';
    if (text === '') throw new EngineError('invalidArgument', `the parameter ${name} is missing`);
    return images.store.resolve(text).image;
  };
  reply.json(200, await diffImages(images.layers, image('from').diffIds, image('to').diffIds, { signal }));
}

/** Points a name at a former version of itself; the move is recorded as any other, so that it can be taken back. */
async function rollback(services: EngineServices, { query }: ApiRequest, reply: ApiReply): Promise<void> {
  const { images, events, clock } = services;
  const name = query.get('name') ?? '';
  const revision = query.get('revision') ?? '';
  const reference = withDefaultTag(parseReference(name));
  const present = images.store.resolve(formatFamiliar(reference)).image;
  const wanted =
    revision === ''
      ? `${formatFamiliar(reference)}@{1}`
      : /^[~@]/.test(revision)
        ? `${formatFamiliar(reference)}${revision}`
        : revision;
  const { image } = images.store.resolve(wanted);
  const message = query.get('message') ?? '';
  await images.store.tag(image, reference, {
    verb: 'rollback',
    actor: 'api',
    time: clock.now(),
    expect: present.descriptor.digest,
    message: message === '' ? `back to ${wanted}` : message,
  });
  events.publish('image', 'tag', image.descriptor.digest, { name: formatFamiliar(reference) });
  reply.json(200, { digest: image.descriptor.digest, previous: present.descriptor.digest });
}
