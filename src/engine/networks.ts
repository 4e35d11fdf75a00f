import type { Logger } from '../base/log.ts';
import { BridgeNetworks } from '../network/bridge-networks.ts';
import type { ContainerNetworks } from '../network/container-network.ts';
import { NetworksWithoutBridge } from '../network/without-bridge.ts';

/** Opens the networks that the settings ask for. */
export async function openNetworks(
  settings: { readonly bip?: string; readonly enabled: boolean },
  execRoot: string,
  log: Logger,
): Promise<ContainerNetworks> {
  if (!settings.enabled) return new NetworksWithoutBridge(execRoot);
  return BridgeNetworks.open({ execRoot, log, ...(settings.bip === undefined ? {} : { bip: settings.bip }) });
}
