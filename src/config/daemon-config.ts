import { readFile } from 'node:fs/promises';
import { EngineError, isErrorCode, messageOf } from '../base/errors.ts';
import { isJsonObject } from '../base/json.ts';

/** Log levels, as dockerd names them. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** How an engine is set up: flags and daemon.json together. */
export interface DaemonConfig {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** `unix://PATH` or `tcp://HOST:PORT`. */
  readonly hosts: readonly string[];
  readonly registryMirrors: readonly string[];
  readonly insecureRegistries: readonly string[];
  readonly logLevel: LogLevel;
  readonly pidfile?: string;
  /** Address and prefix of the default bridge. */
  readonly bip?: string;
  /** An existing bridge to use; `none` for no bridge network. */
  readonly bridge?: string;
}

/** The values that were given, by daemon.json's names. */
export type GivenSettings = Readonly<Record<string, string | readonly string[]>>;

/** Keys of daemon.json that this engine knows, with the kind of their value. */
export const settingKinds: Readonly<Record<string, 'text' | 'list'>> = {
  'data-root': 'text',
  'exec-root': 'text',
  hosts: 'list',
  'registry-mirrors': 'list',
  'insecure-registries': 'list',
  'log-level': 'text',
  pidfile: 'text',
  bip: 'text',
  bridge: 'text',
};

/**
 * Reads a daemon.json. One that is missing is empty when `required` is not set.
 *
 * @throws {EngineError} invalidArgument naming the file and what is wrong, in dockerd's words for unknown keys.
 */
export async function readDaemonFile(file: string, options: { readonly required: boolean }): Promise<GivenSettings> {
  const fail = (what: string, cause?: unknown): never => {
    throw new EngineError('invalidArgument', `unable to configure the engine with file ${file}: ${what}`, { cause });
  };
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (!options.required && isErrorCode(error, 'ENOENT')) return {};
    return fail(messageOf(error), error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text.trim() === '' ? '{}' : text);
  } catch (error) {
    return fail(`not JSON: ${messageOf(error)}`, error);
  }
  if (!isJsonObject(value)) return fail('not a JSON object');
  const unknown = Object.keys(value).filter((key) => !(key in settingKinds));
  if (unknown.length > 0) fail(`the following directives don't match any configuration option: ${unknown.join(', ')}`);
  for (const [key, setting] of Object.entries(value)) {
    const valid =
      settingKinds[key] === 'list'
        ? Array.isArray(setting) && setting.every((item) => typeof item === 'string')
        : typeof setting === 'string';
    if (!valid) fail(`${key}: expected a ${settingKinds[key] === 'list' ? 'list of strings' : 'string'}`);
  }
  return value as GivenSettings;
}

/**
 * Puts flags and file together and fills in the defaults.
 *
 * @throws {EngineError} invalidArgument when a setting is in both, or makes no sense.
 */
export function daemonConfig(flags: GivenSettings, file: GivenSettings): DaemonConfig {
  const both = Object.keys(flags).filter((key) => key in file && settingKinds[key] === 'text');
  if (both.length > 0) {
    throw new EngineError(
      'invalidArgument',
      `the following directives are specified both as a flag and in the configuration file: ${both.join(', ')}`,
    );
  }
  const text = (key: string): string | undefined => {
    const value = flags[key] ?? file[key];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const list = (key: string): readonly string[] => [...asList(flags[key]), ...asList(file[key])];
  const execRoot = text('exec-root') ?? '/run/slipway';
  const hosts = list('hosts');
  const logLevel = text('log-level') ?? 'info';
  if (!isLogLevel(logLevel)) throw new EngineError('invalidArgument', `invalid logging level: ${logLevel}`);
  const [pidfile, bip, bridge] = [text('pidfile'), text('bip'), text('bridge')];
  if (bip !== undefined && bridge !== undefined) {
    throw new EngineError('invalidArgument', 'you specified --bridge and --bip: they are mutually exclusive');
  }
  return {
    dataRoot: text('data-root') ?? '/var/lib/slipway',
    execRoot,
    hosts: hosts.length > 0 ? hosts : [`unix://${execRoot}/slipway.sock`],
    registryMirrors: list('registry-mirrors'),
    insecureRegistries: list('insecure-registries'),
    logLevel,
    ...(pidfile === undefined ? {} : { pidfile }),
    ...(bip === undefined ? {} : { bip }),
    ...(bridge === undefined ? {} : { bridge }),
  };
}

function asList(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

function isLogLevel(text: string): text is LogLevel {
  return ['debug', 'info', 'warn', 'error', 'fatal'].includes(text);
}
