import type { Writable } from 'node:stream';
import { EngineError } from '../../base/errors.ts';
import type { ContainerInstance } from '../../container/instance.ts';
import type { EngineServices } from '../../engine/services.ts';
import type { ApiReply, ApiRequest } from '../route.ts';

export async function streamLogs(
  _services: EngineServices,
  _instance: ContainerInstance,
  _request: ApiRequest,
  _reply: ApiReply,
): Promise<void> {
  throw new EngineError('notImplemented', 'logs');
}
export async function replayLogs(
  _services: EngineServices,
  _instance: ContainerInstance,
  _wanted: object,
  _output: Writable,
): Promise<void> {
  throw new EngineError('notImplemented', 'logs');
}
