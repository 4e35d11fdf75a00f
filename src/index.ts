/**
 * Slipway inside another program: an engine and a Hub as objects. Every folder of `src/` can be imported by itself as well, as
 * `slipway/FOLDER/FILE`.
 *
 * @example
 *   import { createEngine, createHub } from 'slipway';
 *
 *   await using hub = await createHub({ dataRoot: '/srv/hub', listen: '127.0.0.1:5000' });
 *   await using engine = await createEngine({ dataRoot: '/srv/engine', execRoot: '/run/engine', registries, network, log });
 *   for (const image of engine.services.images.store.list()) console.log(image.names);
 */
export { createEngine, type Engine, type EngineOptions } from './engine/engine.ts';
export type { EngineServices, Registries } from './engine/services.ts';
export { createHub, type Hub, type HubOptions } from './hub/hub.ts';
export { createApiServer } from './api/server.ts';
export { engineRoutes } from './api/routes.ts';
export { EngineError, type ErrorKind } from './base/errors.ts';
