import { EngineError } from '../base/errors.ts';
import { shortId } from '../base/ids.ts';
import { canonicalName, formatFamiliar, parseReference, type Reference } from '../formats/oci/reference.ts';
import type { Edge } from '../gc/references.ts';
import type { ImageContext } from './context.ts';
import type { NamedImage } from './records.ts';

/** A container that was made of an image. */
export interface ImageUser {
  readonly containerId: string;
  readonly running: boolean;
}

/** What to remove. */
export interface RemoveRequest {
  /** As it was written. */
  readonly text: string;
  readonly force: boolean;
  readonly users: (image: NamedImage) => readonly ImageUser[];
  readonly actor: string;
}

/** What was done, in order; the orphans are for the collector. */
export interface RemoveResult {
  readonly image: NamedImage;
  /** Familiar names. */
  readonly untagged: readonly string[];
  readonly deleted: boolean;
  readonly orphans: readonly Edge[];
}

/**
 * Takes a name away, and the image itself when that was its last one and no container was made of it. By id all its names go.
 *
 * @throws {EngineError} notFound; conflict in docker's words when it is in use or has names in several repositories, unless forced.
 */
export async function removeImage(context: ImageContext, request: RemoveRequest): Promise<RemoveResult> {
  const { image, reference } = context.store.resolve(request.text);
  const users = request.users(image);
  if (reference && isNameOf(image, reference)) return removeName(context, request, image, reference, users);
  const repositories = new Set(image.names.map((name) => canonicalName(parseReference(name))));
  if (repositories.size > 1 && !request.force) {
    throw conflict(image, 'must be forced', 'image is referenced in multiple repositories');
  }
  refuseUsed(shortId(image.descriptor.digest), image, users, request.force);
  return removeAll(context, request, image);
}

function isNameOf(image: NamedImage, reference: Reference): boolean {
  const { tag, digest } = reference;
  const name = `${canonicalName(reference)}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return image.names.includes(name);
}

async function removeName(
  context: ImageContext,
  request: RemoveRequest,
  image: NamedImage,
  reference: Reference,
  users: readonly ImageUser[],
): Promise<RemoveResult> {
  const untagged = [formatFamiliar(reference)];
  const move = { verb: 'untag', actor: request.actor, time: context.clock.now() } as const;
  if (image.names.length === 1 && users.length === 0) return removeAll(context, request, image);
  if (image.names.length === 1 && !request.force) refuseUsed(formatFamiliar(reference), image, users, false);
  await context.store.untag([reference], move);
  return { image, untagged, deleted: false, orphans: [] };
}

async function removeAll(context: ImageContext, request: RemoveRequest, image: NamedImage): Promise<RemoveResult> {
  const move = { verb: 'delete', actor: request.actor, time: context.clock.now() } as const;
  const orphans = await context.store.remove(image.descriptor.digest, move);
  return { image, untagged: image.names.map((name) => formatFamiliar(parseReference(name))), deleted: true, orphans };
}

/** A running container's image cannot go at all, a stopped one's only by force. */
function refuseUsed(subject: string, image: NamedImage, users: readonly ImageUser[], force: boolean): void {
  const running = users.find((user) => user.running);
  const id = shortId(image.descriptor.digest);
  if (running && subject === id) {
    throw conflict(
      image,
      'cannot be forced',
      `image is being used by running container ${shortId(running.containerId)}`,
    );
  }
  const [user] = users;
  if (user && !force) {
    const what = subject === id ? 'image is being used by stopped container' : 'container';
    const tail = subject === id ? '' : ` is using its referenced image ${id}`;
    throw new EngineError(
      'conflict',
      `conflict: unable to delete ${subject} (must be forced) - ${what} ${shortId(user.containerId)}${tail}`,
    );
  }
}

function conflict(image: NamedImage, how: string, why: string): EngineError {
  return new EngineError(
    'conflict',
    `conflict: unable to delete ${shortId(image.descriptor.digest)} (${how}) - ${why}`,
  );
}
