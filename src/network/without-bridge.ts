import { createHash } from 'node:crypto';
import { EngineError } from '../base/errors.ts';
import type { AttachedNetwork, AttachNetworkRequest, ContainerNetworks } from './container-network.ts';

/** The networks of an engine that was started with `--bridge none`: `host`, and `none` with a loopback link only. */
export class NetworksWithoutBridge implements ContainerNetworks {
  readonly bridge: undefined = undefined;
  readonly fixedNetworkIds: { readonly host: string; readonly none: string };

  constructor(execRoot: string) {
    this.fixedNetworkIds = fixedNetworkIds(execRoot);
  }

  attach({ mode }: AttachNetworkRequest): Promise<AttachedNetwork> {
    if (mode !== 'bridge') return Promise.resolve({ ports: [] });
    return Promise.reject(
      new EngineError('failedPrecondition', 'network bridge not found: the engine was started without a bridge'),
    );
  }

  detach(): Promise<void> {
    return Promise.resolve();
  }

  adopt(): Promise<void> {
    return Promise.resolve();
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** Ids for the networks that need no record: the same as long as the engine has the same exec root. */
export function fixedNetworkIds(execRoot: string): {
  readonly host: string;
  readonly none: string;
  readonly bridge: string;
} {
  const id = (name: string): string => createHash('sha256').update(`${execRoot} ${name}`).digest('hex');
  return { host: id('host'), none: id('none'), bridge: id('bridge') };
}
