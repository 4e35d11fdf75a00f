import { isatty } from 'node:tty';
import { EngineClient } from '../client/engine-client.ts';
import { parseEndpoint } from '../client/endpoint.ts';
import type * as dockerConfig from '../config/docker-config.ts';
import type { DockerConfig } from '../config/docker-config.ts';
import { messageOf } from '../base/errors.ts';
import { CommandError } from './command-error.ts';

/** What holds for every command of one run of the program. */
export interface SessionOptions {
  /** `-H`. */
  readonly host?: string;
  /** `--config`: the directory of `config.json`. */
  readonly configDirectory?: string;
  readonly environment: NodeJS.ProcessEnv;
}

const defaultHost = 'unix:///run/slipway/slipway.sock';

/** The surroundings of a command: the engine it talks to, the user's configuration, the terminal. */
export class Session {
  readonly environment: NodeJS.ProcessEnv;
  readonly #options: SessionOptions;
  #engine: EngineClient | undefined;
  #config: Promise<DockerConfig> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.environment = options.environment;
  }

  /** Where the engine listens, as the user wrote it. */
  get host(): string {
    const { host } = this.#options;
    return host ?? (this.environment['SLIPWAY_HOST'] || this.environment['DOCKER_HOST'] || defaultHost);
  }

  /**
   * The engine.
   *
   * @throws {CommandError} when the address cannot be understood.
   */
  get engine(): EngineClient {
    if (!this.#engine) {
      const apiVersion = this.environment['DOCKER_API_VERSION'];
      try {
        this.#engine = new EngineClient(parseEndpoint(this.host), apiVersion ? { apiVersion } : {});
      } catch (error) {
        throw new CommandError(`Failed to initialize: ${messageOf(error)}`, 1, { cause: error });
      }
    }
    return this.#engine;
  }

  /** The path of the user's `config.json`. */
  async configFile(): Promise<string> {
    const { configDirectory } = this.#options;
    if (configDirectory !== undefined) return `${configDirectory}/config.json`;
    return (await loadConfigModule()).dockerConfigPath(this.environment);
  }

  /** The user's `config.json`, read once. */
  config(): Promise<DockerConfig> {
    this.#config ??= this.#readConfig();
    return this.#config;
  }

  async #readConfig(): Promise<DockerConfig> {
    const { DockerConfig: reader } = await loadConfigModule();
    return reader.read(await this.configFile());
  }

  /** A text of `config.json`, such as a format that the user prefers. */
  async setting(name: string): Promise<string> {
    const value = (await this.config()).document[name];
    return typeof value === 'string' ? value : '';
  }

  /** Writes to stdout. */
  print(text: string): void {
    process.stdout.write(text);
  }

  /** Writes to stderr. */
  warn(text: string): void {
    process.stderr.write(text);
  }
}

/** Most commands need no configuration, and its module brings credential helpers along. */
function loadConfigModule(): Promise<typeof dockerConfig> {
  return import('../config/docker-config.ts');
}

/** Whether a standard stream is a terminal. */
export function isTerminal(stream: 'stdin' | 'stdout' | 'stderr'): boolean {
  return isatty(['stdin', 'stdout', 'stderr'].indexOf(stream));
}

/** The size of the terminal behind stdout; `undefined` where there is none. */
export function terminalSize(): { readonly rows: number; readonly columns: number } | undefined {
  if (!isTerminal('stdout')) return undefined;
  const stream = process.stdout;
  return { rows: stream.rows, columns: stream.columns };
}

/** How wide help pages are: as the terminal where stdin is one, else 80. */
export function helpWidth(): number {
  if (!isTerminal('stdin')) return 80;
  const terminal = [process.stdout, process.stderr].find(({ isTTY }) => isTTY);
  return terminal?.columns ?? 80;
}
