import { EngineError } from '../base/errors.ts';
import type { ContainerConfig } from '../formats/engine-api/container-config.ts';
import type { HostConfig } from '../formats/engine-api/host-config.ts';
import type { PortRequest } from '../network/container-network.ts';

/** A container's port: number and protocol. */
export interface ContainerPort {
  readonly containerPort: number;
  readonly protocol: PortRequest['protocol'];
}

/** Reads `80/tcp` or `80`. @throws {EngineError} invalidArgument */
export function parseContainerPort(text: string): ContainerPort {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text);
  const containerPort = Number(match?.[1]);
  if (!match || containerPort > 65535 || containerPort === 0) {
    throw new EngineError('invalidArgument', `invalid port specification: ${JSON.stringify(text)}`);
  }
  return { containerPort, protocol: (match[2]?.toLowerCase() ?? 'tcp') as PortRequest['protocol'] };
}

/** Returns the ports to publish: those bound by `-p`, and with `-P` every exposed one that is not. @throws {EngineError} invalidArgument */
export function portRequests(config: ContainerConfig, hostConfig: HostConfig): readonly PortRequest[] {
  const requests = Object.entries(hostConfig.PortBindings).flatMap(([port, bindings]) => {
    const container = parseContainerPort(port);
    const asked = bindings.length > 0 ? bindings : [{ HostIp: '', HostPort: '' }];
    return asked.map((binding) => ({ ...container, hostAddress: binding.HostIp, ...parseHostPort(binding.HostPort) }));
  });
  if (!hostConfig.PublishAllPorts) return requests;
  const bound = new Set(requests.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  const exposed = Object.keys(config.ExposedPorts ?? {})
    .map(parseContainerPort)
    .filter(({ containerPort, protocol }) => !bound.has(`${containerPort}/${protocol}`))
    .map((container) => ({ ...container, hostAddress: '' }));
  return [...requests, ...exposed];
}

function parseHostPort(text: string): { hostPort?: number; hostPortEnd?: number } {
  if (text === '' || text === '0') return {};
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const hostPort = Number(match?.[1]);
  const hostPortEnd = match?.[2] === undefined ? undefined : Number(match[2]);
  if (!match || hostPort > 65535 || (hostPortEnd ?? hostPort) > 65535 || (hostPortEnd ?? hostPort) < hostPort) {
    throw new EngineError('invalidArgument', `invalid port specification: ${JSON.stringify(text)}`);
  }
  return { hostPort, ...(hostPortEnd === undefined ? {} : { hostPortEnd }) };
}
