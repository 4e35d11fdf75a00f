import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { EngineError, isErrorCode } from '../base/errors.ts';
import type { SpecMount } from '../runtime/spec/input.ts';
import type { ContainerRecord } from './record.ts';

const loopbackLines = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** Used where the host names only servers on its own loopback, which a container cannot reach. */
const publicServers = ['8.8.8.8', '8.8.4.4'];

/** Writes a container's hostname, hosts and resolv.conf and returns the mounts that put them in place. */
export async function writeNameFiles(directory: string, record: ContainerRecord): Promise<readonly SpecMount[]> {
  const files: Readonly<Record<string, string>> = {
    hostname: `${record.config.Hostname || hostname()}\n`,
    hosts: await hostsFile(record),
    'resolv.conf': await resolverFile(record),
  };
  const taken = new Set(record.mounts.map(({ destination }) => destination));
  const mounts: SpecMount[] = [];
  for (const [name, content] of Object.entries(files)) {
    const source = path.join(directory, name);
    await writeFile(source, content, { mode: 0o644 });
    const target = `/etc/${name}`;
    if (!taken.has(target)) mounts.push({ type: 'bind', source, target, propagation: 'rprivate' });
  }
  return mounts;
}

async function hostsFile(record: ContainerRecord): Promise<string> {
  const { hostConfig, config, network } = record;
  const extra = (hostConfig.ExtraHosts ?? []).map((entry) => {
    const separator = entry.includes('=') ? '=' : ':';
    const at = entry.indexOf(separator);
    const [name, address] = [entry.slice(0, at), entry.slice(at + 1)];
    if (at < 1 || address === '')
      throw new EngineError('invalidArgument', `bad format for add-host: ${JSON.stringify(entry)}`);
    return `${address === 'host-gateway' ? (network?.endpoint?.gateway ?? '127.0.0.1') : address}\t${name}`;
  });
  if (hostConfig.NetworkMode === 'host')
    return `${(await readIfPresent('/etc/hosts')).trimEnd()}\n${extra.map((line) => `${line}\n`).join('')}`;
  const names = [
    config.Hostname + (config.Domainname === '' ? '' : `.${config.Domainname}`),
    ...(config.Domainname === '' ? [] : [config.Hostname]),
  ];
  const own = network?.endpoint ? [`${network.endpoint.address}\t${names.join(' ')}`] : [];
  return `${[...loopbackLines, ...extra, ...own].join('\n')}\n`;
}

async function resolverFile(record: ContainerRecord): Promise<string> {
  const { NetworkMode } = record.hostConfig;
  const [Dns, DnsSearch, DnsOptions] = [
    record.hostConfig.Dns ?? [],
    record.hostConfig.DnsSearch ?? [],
    record.hostConfig.DnsOptions ?? [],
  ];
  const host = await readIfPresent('/etc/resolv.conf');
  if (NetworkMode === 'host' && Dns.length + DnsSearch.length + DnsOptions.length === 0) return host;
  const lines = host.split('\n').map((line) => line.trim());
  const values = (keyword: string): readonly string[] =>
    lines.filter((line) => line.startsWith(`${keyword} `)).flatMap((line) => line.split(/\s+/).slice(1));
  const reachable = values('nameserver').filter((server) => !/^(127\.|::1$)/.test(server));
  const servers =
    Dns.length > 0
      ? Dns
      : NetworkMode === 'host'
        ? values('nameserver')
        : reachable.length > 0
          ? reachable
          : publicServers;
  const search = (DnsSearch.length > 0 ? DnsSearch : values('search')).filter((domain) => domain !== '.');
  const options = DnsOptions.length > 0 ? DnsOptions : values('options');
  return [
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}

async function readIfPresent(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return '';
    throw error;
  }
}
