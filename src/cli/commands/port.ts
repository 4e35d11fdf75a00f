import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { containerPath } from '../each.ts';
import { objectOf, objectsOf, textOf } from '../format/fields.ts';

/** `slipway port`. */
export const portCommand: Command = {
  names: ['port', 'container port'],
  aliases: ['container port', 'port'],
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  summary: 'List port mappings or a specific mapping for the container',
  flags: [],
  count: { min: 1, max: 2 },
  run: async ({ session, args: [container = '', wanted] }) => {
    const answer = await session.engine.object('GET', containerPath(container, '/json'));
    const ports = objectOf(objectOf(answer['NetworkSettings'])['Ports']);
    const addresses = (port: string): string[] =>
      objectsOf(ports[port]).map((binding) => address(textOf(binding['HostIp']), textOf(binding['HostPort'])));
    if (wanted !== undefined) {
      const port = fullPort(wanted);
      const found = addresses(port);
      if (found.length === 0) throw new CommandError(`Error: No public port '${wanted}' published for ${container}`);
      session.print(found.map((text) => `${text}\n`).join(''));
      return 0;
    }
    const lines = Object.keys(ports).flatMap((port) => addresses(port).map((text) => `${port} -> ${text}`));
    session.print(
      lines
        .toSorted(naturalOrder)
        .map((line) => `${line}\n`)
        .join(''),
    );
    return 0;
  },
};

function fullPort(wanted: string): string {
  const [port = '', protocol = ''] = wanted.split('/');
  if (!/^\d+$/.test(port) || Number(port) > 65535) throw new CommandError(`Error: invalid port (${port})`);
  return `${Number(port)}/${protocol === '' ? 'tcp' : protocol}`;
}

function address(host: string, port: string): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function naturalOrder(left: string, right: string): number {
  return left.localeCompare(right, 'en', { numeric: true });
}
