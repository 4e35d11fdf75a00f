import { EngineError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject } from '../../base/json.ts';
import * as field from './fields.ts';

/**
 * Reads the `NetworkingConfig` of a create request for the networks that every engine has: a MAC address is taken, what needs a
 * network of one's own is refused.
 *
 * @throws {EngineError} invalidArgument in docker's words.
 */
export function parseNetworkingConfig(value: unknown): { readonly macAddress?: string } {
  const endpoints = field.object(field.object(value, 'NetworkingConfig')['EndpointsConfig'], 'EndpointsConfig');
  let macAddress = '';
  for (const endpoint of Object.values(endpoints)) {
    if (!isJsonObject(endpoint)) continue;
    refuseSpecialities(endpoint);
    macAddress = field.text()(endpoint['MacAddress'], 'MacAddress') || macAddress;
  }
  return macAddress === '' ? {} : { macAddress };
}

function refuseSpecialities(endpoint: JsonObject): void {
  const ipam = field.object(endpoint['IPAMConfig'], 'IPAMConfig');
  if (
    field.text()(ipam['IPv4Address'], 'IPv4Address') !== '' ||
    field.text()(ipam['IPv6Address'], 'IPv6Address') !== ''
  ) {
    throw new EngineError('invalidArgument', 'user specified IP address is supported on user defined networks only');
  }
  if ((field.strings(endpoint['Aliases'], 'Aliases') ?? []).length > 0) {
    throw new EngineError(
      'invalidArgument',
      'network-scoped alias is supported only for containers in user defined networks',
    );
  }
  if ((field.strings(endpoint['Links'], 'Links') ?? []).length > 0) {
    throw new EngineError('notImplemented', 'links: not served by this engine yet');
  }
}

/** Reads a MAC address. @throws {EngineError} invalidArgument in docker's words */
export function checkMacAddress(text: string): string {
  if (/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(text)) return text.replaceAll('-', ':').toLowerCase();
  throw new EngineError('invalidArgument', `invalid container MAC address: ${text}`);
}
