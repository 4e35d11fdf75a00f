import { EngineError } from '../../base/errors.ts';
import { isRunning } from '../../container/lifecycle.ts';
import type { EngineServices } from '../../engine/services.ts';
import { queryFilters, type Route } from '../route.ts';

/** Routes about networks: the three that are always there. */
export function networkRoutes(services: EngineServices): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/networks',
      handler: async ({ query }, reply) => {
        const filters = queryFilters(query, ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']);
        const chosen = listNetworks(services).filter((network) =>
          [...filters].every(([name, values]) => values.some((value) => matches(network, name, value))),
        );
        reply.json(
          200,
          chosen.map((network) => networkDocument(services, network, false)),
        );
      },
    },
    {
      method: 'GET',
      path: '/networks/{id}',
      handler: async ({ params }, reply) => {
        const wanted = params['id'] ?? '';
        const network = listNetworks(services).find(
          ({ name, id }) => name === wanted || (wanted.length >= 4 && id.startsWith(wanted)),
        );
        if (!network) throw new EngineError('notFound', `network ${wanted} not found`);
        reply.json(200, networkDocument(services, network, true));
      },
    },
  ];
}

interface KnownNetwork {
  readonly name: string;
  readonly id: string;
  readonly driver: string;
}

function listNetworks({ containers }: EngineServices): readonly KnownNetwork[] {
  const { bridge, fixedNetworkIds } = containers.networks;
  return [
    ...(bridge ? [{ name: 'bridge', id: bridge.networkId, driver: 'bridge' }] : []),
    { name: 'host', id: fixedNetworkIds.host, driver: 'host' },
    { name: 'none', id: fixedNetworkIds.none, driver: 'null' },
  ];
}

function matches({ name, id, driver }: KnownNetwork, filter: string, value: string): boolean {
  switch (filter) {
    case 'id':
      return id.startsWith(value);
    case 'name':
      return name.includes(value);
    case 'driver':
      return driver === value;
    case 'scope':
      return value === 'local';
    case 'type':
      return value === 'builtin';
    case 'dangling':
      return value === 'false' || value === '0';
    default:
      return false;
  }
}

function networkDocument(services: EngineServices, network: KnownNetwork, withContainers: boolean): object {
  const { bridge } = services.containers.networks;
  const isBridge = network.name === 'bridge' && bridge !== undefined;
  return {
    Name: network.name,
    Id: network.id,
    Created: (bridge?.createdAt ?? services.clock.now()).toISOString(),
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: 'default',
      Options: null,
      Config: isBridge ? [{ Subnet: bridge.subnet, Gateway: bridge.gateway }] : null,
    },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: withContainers ? members(services, network.name) : {},
    Options: isBridge
      ? {
          'com.docker.network.bridge.default_bridge': 'true',
          'com.docker.network.bridge.enable_icc': 'true',
          'com.docker.network.bridge.enable_ip_masquerade': 'true',
          'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
          'com.docker.network.bridge.name': bridge.name,
          'com.docker.network.driver.mtu': String(bridge.mtu),
        }
      : {},
    Labels: {},
  };
}

function members({ containers }: EngineServices, name: string): object {
  const running = containers.registry
    .list()
    .filter(({ record }) => record.hostConfig.NetworkMode === name && isRunning(record.state));
  return Object.fromEntries(
    running.map(({ record }) => {
      const endpoint = record.network?.endpoint;
      const address = endpoint ? `${endpoint.address}/${endpoint.prefixLength}` : '';
      const document = {
        Name: record.name,
        EndpointID: endpoint?.endpointId ?? '',
        MacAddress: endpoint?.macAddress ?? '',
        IPv4Address: address,
        IPv6Address: '',
      };
      return [record.id, document];
    }),
  );
}
