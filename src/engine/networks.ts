import type { Logger } from '../base/log.ts';
import type { ContainerNetworks } from '../network/container-network.ts';
import { NetworksWithoutBridge } from '../network/without-bridge.ts';

/** Opens the networks that the settings ask for. */
export async function openNetworks(
  _settings: { readonly bridge?: string; readonly bip?: string; readonly enabled: boolean },
  execRoot: string,
  _log: Logger,
): Promise<ContainerNetworks> {
  return new NetworksWithoutBridge(execRoot);
}
