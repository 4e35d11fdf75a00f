import { messageOf } from '../../base/errors.ts';
import type { JsonObject } from '../../base/json.ts';
import type { Command, Invocation } from '../command.ts';
import { clientVersion, CommandError } from '../command-error.ts';
import { flag, formatHelp } from '../flags/flag.ts';
import { formatBinarySize } from '../format/byte-sizes.ts';
import { numberOf, objectOf, textOf, textsOf } from '../format/fields.ts';
import { parseFormat, templateFailure } from '../format/list.ts';
import { runTemplate } from '../template/run-template.ts';
import { Fields, formatJson } from '../template/values.ts';

/** `slipway info`. */
export const infoCommand: Command = {
  names: ['info', 'system info'],
  aliases: ['system info', 'info'],
  usage: '[OPTIONS]',
  summary: 'Display system-wide information',
  flags: [flag('f', 'format', 'string', formatHelp)],
  count: { min: 0, max: 0 },
  run: info,
};

const client = `Client:\n Version:    ${clientVersion}\n Context:    default\n Debug Mode: false\n`;

async function info({ session, flags }: Invocation): Promise<number> {
  const format = flags.string('format');
  let answer: JsonObject;
  try {
    answer = await session.engine.object('GET', '/info');
  } catch (error) {
    if (format === '') session.print(`${client}\nServer:\n`);
    throw new CommandError(messageOf(error), 1, { cause: error });
  }
  if (format !== '') return printFormatted(session, format, answer);
  session.print(
    `${client}\nServer:\n${serverLines(answer)
      .map((line) => ` ${line}\n`)
      .join('')}\n`,
  );
  for (const warning of textsOf(answer['Warnings'])) session.warn(`${warning}\n`);
  return 0;
}

function printFormatted(session: Invocation['session'], format: string, answer: JsonObject): number {
  const ours = { Debug: false, Version: clientVersion, Context: 'default', Plugins: [], Warnings: null };
  if (format === 'json') {
    session.print(`${formatJson({ ...answer, ClientInfo: ours }, 'html')}\n`);
    return 0;
  }
  const template = parseFormat(format, 'template parsing error', 64);
  try {
    session.print(`${runTemplate(template, new Fields('system.dockerInfo', { ...answer, ClientInfo: ours }))}\n`);
  } catch (error) {
    session.print('\n');
    throw templateFailure(error, '');
  }
  return 0;
}

function serverLines(answer: JsonObject): string[] {
  const text = (name: string): string => textOf(answer[name]);
  const count = (name: string): number => numberOf(answer[name]);
  const status = Array.isArray(answer['DriverStatus']) ? answer['DriverStatus'].map(textsOf) : [];
  return [
    `Containers: ${count('Containers')}`,
    ` Running: ${count('ContainersRunning')}`,
    ` Paused: ${count('ContainersPaused')}`,
    ` Stopped: ${count('ContainersStopped')}`,
    `Images: ${count('Images')}`,
    ...optional('Server Version', text('ServerVersion')),
    `Storage Driver: ${text('Driver')}`,
    ...status.map(([label = '', value = '']) => ` ${label}: ${value}`),
    `Logging Driver: ${text('LoggingDriver')}`,
    `Cgroup Driver: ${text('CgroupDriver')}`,
    ...optional('Cgroup Version', text('CgroupVersion')),
    ...pluginLines(objectOf(answer['Plugins'])),
    ...cdiLines(textsOf(answer['CDISpecDirs'])),
    `Swarm: ${textOf(objectOf(answer['Swarm'])['LocalNodeState'])}`,
    ...runtimeLines(answer),
    ...securityLines(textsOf(answer['SecurityOptions'])),
    ...optional('Kernel Version', text('KernelVersion')),
    ...optional('Operating System', text('OperatingSystem')),
    ...optional('OSType', text('OSType')),
    ...optional('Architecture', text('Architecture')),
    `CPUs: ${count('NCPU')}`,
    `Total Memory: ${formatBinarySize(count('MemTotal'))}`,
    ...optional('Name', text('Name')),
    ...optional('ID', text('ID')),
    `Docker Root Dir: ${text('DockerRootDir')}`,
    `Debug Mode: ${answer['Debug'] === true}`,
    ...optional('HTTP Proxy', text('HttpProxy')),
    ...optional('HTTPS Proxy', text('HttpsProxy')),
    ...optional('No Proxy', text('NoProxy')),
    ...listLines('Labels', textsOf(answer['Labels'])),
    `Experimental: ${answer['ExperimentalBuild'] === true}`,
    ...registryLines(objectOf(answer['RegistryConfig'])),
    `Live Restore Enabled: ${answer['LiveRestoreEnabled'] === true}`,
    ...optional('Product License', text('ProductLicense')),
  ];
}

function optional(label: string, value: string): string[] {
  return value === '' ? [] : [`${label}: ${value}`];
}

function listLines(label: string, values: readonly string[]): string[] {
  return values.length === 0 ? [] : [`${label}:`, ...values.map((value) => ` ${value}`)];
}

function pluginLines(plugins: JsonObject): string[] {
  const authorization = textsOf(plugins['Authorization']);
  return [
    'Plugins:',
    ` Volume: ${textsOf(plugins['Volume']).join(' ')}`,
    ` Network: ${textsOf(plugins['Network']).join(' ')}`,
    ...(authorization.length === 0 ? [] : [` Authorization: ${authorization.join(' ')}`]),
    ` Log: ${textsOf(plugins['Log']).join(' ')}`,
  ];
}

function cdiLines(directories: readonly string[]): string[] {
  return listLines('CDI spec directories', directories);
}

function runtimeLines(answer: JsonObject): string[] {
  const id = (name: string): string => textOf(objectOf(answer[name])['ID']);
  return [
    `Runtimes: ${Object.keys(objectOf(answer['Runtimes'])).toSorted().join(' ')}`,
    `Default Runtime: ${textOf(answer['DefaultRuntime'])}`,
    `Init Binary: ${textOf(answer['InitBinary'])}`,
    `containerd version: ${id('ContainerdCommit')}`,
    `runc version: ${id('RuncCommit')}`,
    `init version: ${id('InitCommit')}`,
  ];
}

/** An option is `name=…,key=value`. */
function securityLines(options: readonly string[]): string[] {
  if (options.length === 0) return [];
  const lines = options.flatMap((option) => {
    const fields = option.split(',').map((field) => field.split('='));
    const name = fields.find(([key]) => key === 'name')?.[1] ?? option;
    const rest = fields.filter(([key, value]) => key !== 'name' && value !== undefined);
    return [` ${name}`, ...rest.map(([key = '', value = '']) => `  ${capital(key)}: ${value}`)];
  });
  return ['Security Options:', ...lines];
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function registryLines(config: JsonObject): string[] {
  const indexes = Object.entries(objectOf(config['IndexConfigs']));
  const insecure = indexes.filter(([, index]) => objectOf(index)['Secure'] === false).map(([name]) => name);
  const ranges = textsOf(config['InsecureRegistryCIDRs']);
  return [
    ...listLines('Insecure Registries', [...insecure, ...ranges]),
    ...listLines('Registry Mirrors', textsOf(config['Mirrors'])),
  ];
}
