import type { IncomingMessage, ServerResponse } from 'node:http';
import { EngineError } from '../base/errors.ts';
import { collect } from '../base/streams.ts';
import { parseJsonObject } from '../formats/oci/manifest.ts';
import { isRepositoryName } from '../formats/oci/reference.ts';
import type { RepositoryCatalog } from '../registry/metadata.ts';
import { sendDocument } from './search.ts';

const bodyLimitBytes = 64 << 10;
/** As at Docker Hub. */
const descriptionLimitCharacters = 100;

/** GET and PUT `/api/repositories/<name>`: what people read of a repository. Changes are taken from this machine only. */
export async function handleRepository(
  catalog: RepositoryCatalog,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!isRepositoryName(name))
    throw new EngineError('invalidArgument', `invalid repository name ${JSON.stringify(name)}`);
  if (request.method === 'PUT') {
    checkLocal(request);
    const body = parseJsonObject(await collect(request, bodyLimitBytes, 'request'), 'request');
    const { description } = body;
    if (typeof description !== 'string' || description.length > descriptionLimitCharacters) {
      throw new EngineError(
        'invalidArgument',
        `description must be a text of at most ${descriptionLimitCharacters} characters`,
      );
    }
    await catalog.describeRepository(name, description);
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    throw new EngineError('notImplemented', `${request.method} is not supported here`);
  }
  const repository = await catalog.findRepository(name);
  if (!repository) throw new EngineError('notFound', `repository ${name} not found`);
  sendDocument(response, 200, {
    name: repository.name,
    description: repository.description,
    star_count: repository.starCount,
    last_updated: repository.updatedAt,
  });
}

/** The content type keeps web pages of other sites out: a browser asks before it sends one like this. */
function checkLocal(request: IncomingMessage): void {
  const address = request.socket.remoteAddress ?? '';
  const isLocal = address === '::1' || address.replace('::ffff:', '').startsWith('127.');
  if (!isLocal)
    throw new EngineError('permissionDenied', 'repositories are described from the machine of the hub only');
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim();
  if (type !== 'application/json') throw new EngineError('invalidArgument', 'Content-Type must be application/json');
}
