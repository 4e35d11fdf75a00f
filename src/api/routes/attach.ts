import { EngineError } from '../../base/errors.ts';
import { publishContainerEvent } from '../../container/context.ts';
import type { ContainerInstance } from '../../container/instance.ts';
import { attachContainer } from '../../container/streams.ts';
import type { EngineServices } from '../../engine/services.ts';
import { bridge, defaultDetachKeys, parseDetachKeys, streamTypes } from '../multiplex.ts';
import { atLeast, queryFlag, type ApiReply, type ApiRequest } from '../route.ts';
import { replayLogs } from './logs.ts';

/** `POST /containers/{id}/attach`. */
export async function attach(
  services: EngineServices,
  instance: ContainerInstance,
  request: ApiRequest,
  reply: ApiReply,
): Promise<void> {
  const { query, version } = request;
  const { config } = instance.record;
  const keysText = query.get('detachKeys') ?? '';
  const detachKeys = keysText === '' ? defaultDetachKeys : parseDetachKeys(keysText);
  if (!detachKeys) throw new EngineError('invalidArgument', `Invalid detach keys (${keysText}) provided`);
  const wanted = {
    stdin: queryFlag(query, 'stdin') && config.OpenStdin,
    stdout: queryFlag(query, 'stdout'),
    stderr: queryFlag(query, 'stderr'),
  };
  if (instance.record.state.status === 'paused') {
    const name = request.params['id'] ?? '';
    throw new EngineError('conflict', `container ${name} is paused, unpause the container before attach`);
  }
  // Joined before the answer: the client starts the container next.
  const joined = queryFlag(query, 'stream') ? attachContainer(services.containers, instance, wanted) : undefined;
  // A failure is thrown where the attachment is awaited, which may be after another one.
  joined?.catch(() => undefined);
  const multiplexed = !config.Tty && atLeast(version, 42);
  const connection = reply.hijack(multiplexed ? streamTypes.multiplexed : streamTypes.raw);
  if (queryFlag(query, 'logs')) await replayLogs(services, instance, wanted, connection.output);
  const attachment = await joined;
  if (!attachment) {
    connection.output.end();
    return;
  }
  const detached = await bridge(connection, attachment, { terminal: config.Tty, stdin: wanted.stdin, detachKeys });
  if (detached) publishContainerEvent(services.containers, 'detach', instance.record);
}
