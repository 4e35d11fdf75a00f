import type { EngineServices } from '../engine/services.ts';
import { EngineError } from '../base/errors.ts';
import type { Route } from './route.ts';
import { commitRoutes } from './routes/commit.ts';
import { containerRoutes } from './routes/containers.ts';
import { execRoutes } from './routes/execs.ts';
import { historyRoutes } from './routes/history.ts';
import { imageRoutes } from './routes/images.ts';
import { networkRoutes } from './routes/networks.ts';
import { systemRoutes } from './routes/system.ts';

/** Every route of the Engine API, those that are not served yet included: these say so. */
export function engineRoutes(services: EngineServices): readonly Route[] {
  return [
    ...systemRoutes(services),
    ...containerRoutes(services),
    ...execRoutes(services),
    ...commitRoutes(services),
    ...historyRoutes(services),
    ...imageRoutes(services),
    ...networkRoutes(services),
    ...unserved,
  ];
}

/** Docker's operations that have no service behind them here; docs/compatibility.md lists them. */
const unserved: readonly Route[] = [
  'GET /containers/{id}/export',
  'GET /containers/{id}/stats',
  'POST /containers/{id}/update',
  'GET /containers/{id}/attach/ws',
  'HEAD /containers/{id}/archive',
  'GET /containers/{id}/archive',
  'PUT /containers/{id}/archive',
  'POST /images/prune',
  'GET /images/{name...}/get',
  'GET /images/get',
  'POST /images/load',
  'POST /build',
  'POST /build/prune',
  'POST /build/cancel',
  'GET /distribution/{name...}/json',
  'GET /system/df',
  'POST /networks/create',
  'POST /networks/prune',
  'POST /networks/{id}/connect',
  'POST /networks/{id}/disconnect',
  'DELETE /networks/{id}',
  'GET /volumes',
  'GET /volumes/{name}',
  'POST /volumes/create',
  'POST /volumes/prune',
  'DELETE /volumes/{name}',
  'GET /plugins',
  'POST /session',
  'POST /grpc',
].map((operation): Route => {
  const [method = '', path = ''] = operation.split(' ');
  return {
    method: method as Route['method'],
    path,
    handler: () => Promise.reject(new EngineError('notImplemented', `${operation}: not served by this engine yet`)),
  };
});
