import { messageOf } from '../../base/errors.ts';
import { newestApiVersion } from '../../client/engine-client.ts';
import type { JsonObject } from '../../base/json.ts';
import type { Command, Invocation } from '../command.ts';
import { clientVersion, CommandError } from '../command-error.ts';
import { flag, formatHelp } from '../flags/flag.ts';
import { objectOf, objectsOf, textOf } from '../format/fields.ts';
import { parseFormat, templateFailure } from '../format/list.ts';
import { runTemplate } from '../template/run-template.ts';
import { Fields, formatJson } from '../template/values.ts';

/** `slipway version`. */
export const versionCommand: Command = {
  names: ['version'],
  usage: '[OPTIONS]',
  summary: 'Show the Docker version information',
  flags: [flag('f', 'format', 'string', formatHelp)],
  count: { min: 0, max: 0 },
  run: version,
};

async function version({ session, flags }: Invocation): Promise<number> {
  const format = flags.string('format');
  const template =
    format === '' || format === 'json' ? undefined : parseFormat(format, 'template parsing error', 64, 'version');
  const api = session.environment['DOCKER_API_VERSION'] || newestApiVersion;
  const client = clientFields(api);
  let server: JsonObject | undefined;
  let failure: unknown;
  try {
    client['ApiVersion'] = await session.engine.apiVersion();
    server = await session.engine.object('GET', '/version');
  } catch (error) {
    failure = error;
  }
  if (format === 'json') session.print(`${formatJson({ Client: client, Server: server ?? null }, 'html')}\n`);
  else if (template) {
    const known = server ? new Fields('*types.Version', goNames(serverFields(server))) : null;
    const value = new Fields('system.versionInfo', {
      Client: new Fields('system.clientVersion', goNames(client)),
      Server: known,
    });
    session.print(`${render(() => runTemplate(template, value))}\n`);
  } else session.print(formatClient(client) + (server ? formatServer(server) : ''));
  if (failure !== undefined) throw new CommandError(messageOf(failure), 1, { cause: failure });
  return 0;
}

/** What a template gives before it fails is lost; its line is not. */
function render(run: () => string): string {
  try {
    return run();
  } catch (error) {
    process.stdout.write('\n');
    throw templateFailure(error, '');
  }
}

function clientFields(api: string): Record<string, unknown> {
  return {
    Version: clientVersion,
    ApiVersion: api,
    DefaultAPIVersion: newestApiVersion,
    GitCommit: '',
    GoVersion: `node ${process.version}`,
    Os: 'linux',
    Arch: process.arch === 'x64' ? 'amd64' : process.arch,
    BuildTime: '',
    Context: 'default',
  };
}

/** In Go the field is called otherwise than in JSON. */
function goNames({ ApiVersion: APIVersion, ...fields }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...fields, APIVersion };
}

function serverFields(server: JsonObject): Record<string, unknown> {
  const names =
    'Platform Components Version ApiVersion MinAPIVersion GitCommit GoVersion Os Arch KernelVersion Experimental BuildTime';
  return Object.fromEntries(names.split(' ').map((name) => [name, server[name] ?? '']));
}

function formatClient(client: Readonly<Record<string, unknown>>): string {
  const api = textOf(client['ApiVersion']);
  const lowered = api === newestApiVersion ? '' : ` (downgraded from ${newestApiVersion})`;
  const rows = [
    ['Version', textOf(client['Version'])],
    ['API version', api + lowered],
    ['Go version', textOf(client['GoVersion'])],
    ['Git commit', textOf(client['GitCommit'])],
    ['Built', textOf(client['BuildTime'])],
    ['OS/Arch', `${textOf(client['Os'])}/${textOf(client['Arch'])}`],
    ['Context', textOf(client['Context'])],
  ] as const;
  return `Client:\n${rows.map(([label, value]) => formatRow(' ', label, value)).join('')}`;
}

function formatServer(server: JsonObject): string {
  const name = textOf(objectOf(server['Platform'])['Name']);
  const parts = [`\nServer:${name === '' ? '' : ` ${name}`}\n`];
  for (const component of objectsOf(server['Components'])) {
    parts.push(` ${textOf(component['Name'])}:\n`, formatRow('  ', 'Version', textOf(component['Version'])));
    const details = objectOf(component['Details']);
    const isEngine = component['Name'] === 'Engine';
    for (const [label, value] of isEngine ? engineRows(details) : Object.entries(details)) {
      parts.push(formatRow('  ', label, textOf(value)));
    }
  }
  return parts.join('');
}

function engineRows(details: JsonObject): [string, string][] {
  const text = (name: string): string => textOf(details[name]);
  return [
    ['API version', `${text('ApiVersion')} (minimum version ${text('MinAPIVersion')})`],
    ['Go version', text('GoVersion')],
    ['Git commit', text('GitCommit')],
    ['Built', text('BuildTime')],
    ['OS/Arch', `${text('Os')}/${text('Arch')}`],
    ['Experimental', text('Experimental')],
  ];
}

const labelColumns = 20;

function formatRow(indent: string, label: string, value: string): string {
  return `${`${indent}${label}:`.padEnd(labelColumns)}${value}\n`;
}
