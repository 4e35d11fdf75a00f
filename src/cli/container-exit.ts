import type { EngineClient } from '../client/engine-client.ts';
import { EngineError } from '../base/errors.ts';
import { collect } from '../base/streams.ts';
import { numberOf, objectOf, textOf } from './format/fields.ts';

/**
 * Begins to wait for a container's end; returns when the engine is listening, so that a container started afterwards cannot end unseen.
 * The exit code comes from the promise in the result.
 */
export async function watchExit(
  engine: EngineClient,
  container: string,
  autoRemove: 'removes itself' | 'stays',
): Promise<{ readonly exitCode: Promise<number> }> {
  const condition = autoRemove === 'removes itself' ? 'removed' : 'next-exit';
  const path = `/containers/${encodeURIComponent(container)}/wait`;
  const response = await engine.open('POST', path, { query: { condition } });
  const exitCode = collect(response.body, 1 << 20, 'the exit code').then((bytes) => {
    const answer = objectOf(bytes.length === 0 ? {} : JSON.parse(bytes.toString()));
    const failure = textOf(objectOf(answer['Error'])['Message']);
    if (failure !== '') throw new EngineError('unavailable', `Error waiting for container: ${failure}`);
    return numberOf(answer['StatusCode']);
  });
  // It is asked for only when the container has been started.
  exitCode.catch(() => undefined);
  return { exitCode };
}
