import { statSync, writeFileSync } from 'node:fs';
import { kindOf, messageOf } from '../base/errors.ts';
import { EngineResponseError } from '../client/errors.ts';
import { parseReference, withDefaultTag } from '../formats/oci/reference.ts';
import type { Invocation } from './command.ts';
import { CommandError } from './command-error.ts';
import type { FlagValues } from './flags/flag-values.ts';
import { textOf, textsOf } from './format/fields.ts';
import { containerRequest, type ContainerRequest } from './options/container-request.ts';
import { showProgress } from './progress.ts';
import { familiarReference, pullImage } from './pull-image.ts';
import { isTerminal, type Session } from './session.ts';

/** A container that has just been made. */
export interface CreatedContainer {
  readonly id: string;
  readonly request: ContainerRequest;
}

/**
 * Makes the container that `run` and `create` describe; pulls the image when it is missing, or as `--pull` says.
 *
 * @throws {CommandError | EngineError} for flags that make no sense and what the engine refuses.
 */
export async function createContainer(
  { session, flags }: Invocation,
  request: ContainerRequest,
): Promise<CreatedContainer> {
  const pull = flags.string('pull', 'missing');
  if (!['always', 'missing', 'never'].includes(pull)) {
    throw new CommandError(`invalid pull option: '${pull}': must be one of "always", "missing" or "never"`);
  }
  const cidFile = flags.string('cidfile');
  if (cidFile !== '' && statSync(cidFile, { throwIfNoEntry: false })) {
    throw new CommandError(`container ID file found, make sure the other container isn't running or delete ${cidFile}`);
  }
  const reference = checkImage(request.image);
  if (pull === 'always') await pullFor(session, flags, request.image);
  const answer = await createOrPull(session, flags, request, pull === 'missing' ? reference : undefined);
  for (const warning of textsOf(answer['Warnings'])) session.warn(`WARNING: ${warning}\n`);
  const id = textOf(answer['Id']);
  if (cidFile !== '') writeFileSync(cidFile, id);
  return { id, request };
}

/** Reads flags and arguments of `run` and `create`. */
export function requestOf({ flags, args, session }: Invocation): ContainerRequest {
  return containerRequest(flags, args, session.environment);
}

/** Returns the failure of `run` and `create` as they report it. */
export function creationFailure(name: string, error: unknown, exitCode = 125): CommandError {
  const text = `slipway: ${messageOf(error)}\n\nRun 'slipway ${name} --help' for more information`;
  return new CommandError(text, exitCode, { cause: error });
}

async function createOrPull(
  session: Session,
  flags: FlagValues,
  request: ContainerRequest,
  reference: string | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const query = { name: flags.string('name'), platform: flags.string('platform') };
  const create = (): ReturnType<Session['engine']['object']> =>
    session.engine.object('POST', '/containers/create', { query, body: request.body });
  try {
    return await create();
  } catch (error) {
    const isMissing = error instanceof EngineResponseError && kindOf(error) === 'notFound';
    if (!isMissing || reference === undefined || !/no such image/i.test(error.message)) throw error;
    if (!flags.bool('quiet')) session.warn(`Unable to find image '${reference}' locally\n`);
    await pullFor(session, flags, request.image);
    return create();
  }
}

/** Returns the image's full name; `undefined` for an id or a former version of a name (`name~1`, `name@{2}`), which cannot be pulled. */
function checkImage(image: string): string | undefined {
  if (/^[a-f0-9]{64}$/.test(image) || /^sha256:[a-f0-9]{64}$/.test(image)) return undefined;
  if (/~\d*$|@\{[^}]*\}$/.test(image)) return undefined;
  return familiarReference(withDefaultTag(parseReference(image)));
}

async function pullFor(session: Session, flags: FlagValues, image: string): Promise<void> {
  const messages = pullImage(session, { reference: image, platform: flags.string('platform') });
  const write = flags.bool('quiet') ? (): void => undefined : (text: string): void => session.warn(text);
  await showProgress(messages, { write, isTerminal: isTerminal('stderr') });
}
