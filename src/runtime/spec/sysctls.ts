import type { SpecInput } from './input.ts';

/** As Docker: without privileges, ping works and low ports can be bound, in a network namespace that is not the host's. */
const ownNetwork = { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' };

/** Returns the sysctls to set inside; the container's own win over the defaults. */
export function createSysctls(input: SpecInput): Readonly<Record<string, string>> {
  const defaults = input.namespaces.network.kind === 'host' ? {} : ownNetwork;
  return { ...defaults, ...input.sysctls };
}
