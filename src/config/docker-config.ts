/**
 * The docker client's `config.json`: who the user is at which registry. Secrets are in the file itself or with a credential
 * helper, a program `docker-credential-<name>` that speaks JSON over its standard streams.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { EngineError, isErrorCode } from '../base/errors.ts';
import { ensureDirectory, readTextIfPresent, writeFileDurably } from '../base/files.ts';
import { isJsonObject, type JsonObject } from '../base/json.ts';

/** What is known of a user at a registry; one of password, identityToken and registryToken. */
export interface DockerCredentials {
  readonly username?: string;
  readonly password?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

const officialRegistry = 'docker.io';
const officialServer = 'https://index.docker.io/v1/';
const outputLimitBytes = 1 << 20;

/** Returns the path of `config.json`: below `DOCKER_CONFIG`, else below `~/.docker`. */
export function dockerConfigPath(environment: NodeJS.ProcessEnv): string {
  return path.join(environment['DOCKER_CONFIG'] || path.join(environment['HOME'] || '/', '.docker'), 'config.json');
}

/** Returns the key that docker files a registry's credentials under. */
export function credentialServer(registry: string): string {
  return registry === officialRegistry || registry === 'index.docker.io' ? officialServer : registry;
}

/** A `config.json`, read once; what this class does not know of the file is kept when it writes. */
export class DockerConfig {
  readonly #file: string;
  readonly #document: JsonObject;

  private constructor(file: string, document: JsonObject) {
    this.#file = file;
    this.#document = document;
  }

  /**
   * Reads the file; a missing one is empty.
   *
   * @throws {EngineError} invalidArgument when it is not a JSON object.
   */
  static async read(file: string): Promise<DockerConfig> {
    const text = (await readTextIfPresent(file)) ?? '';
    if (text.trim() === '') return new DockerConfig(file, {});
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch (error) {
      throw new EngineError('invalidArgument', `${file}: not JSON`, { cause: error });
    }
    if (!isJsonObject(document)) throw new EngineError('invalidArgument', `${file}: not a JSON object`);
    return new DockerConfig(file, document);
  }

  /** The whole document. */
  get document(): JsonObject {
    return this.#document;
  }

  /**
   * Returns what the user has for a registry (`docker.io`, `localhost:5000`, …).
   *
   * @throws {EngineError} unavailable when the credential helper fails.
   */
  async credentials(registry: string): Promise<DockerCredentials | undefined> {
    const server = credentialServer(registry);
    const helper = this.#helper(server, registry);
    if (helper !== undefined) return askHelper(helper, server);
    const auths = this.#document['auths'];
    if (!isJsonObject(auths)) return undefined;
    const entry =
      Object.entries(auths).find(([key]) => key === server) ??
      Object.entries(auths).find(([key]) => hostOf(key) === hostOf(server));
    return entry && isJsonObject(entry[1]) ? credentialsOf(entry[1], this.#file) : undefined;
  }

  /** Returns the credentials of every registry that the file itself names, for `X-Registry-Config`. */
  async allCredentials(): Promise<ReadonlyMap<string, DockerCredentials>> {
    const servers = new Set<string>();
    for (const field of ['auths', 'credHelpers']) {
      const value = this.#document[field];
      if (isJsonObject(value)) for (const server of Object.keys(value)) servers.add(server);
    }
    const found = new Map<string, DockerCredentials>();
    for (const server of servers) {
      const credentials = await this.credentials(server);
      if (credentials) found.set(server, credentials);
    }
    return found;
  }

  /** Whether a login would be kept in the file, unencrypted. */
  keepsPlainText(registry: string): boolean {
    return this.#helper(credentialServer(registry), registry) === undefined;
  }

  /** Keeps a login, with the helper where one is set, else in the file. */
  async store(registry: string, credentials: DockerCredentials): Promise<void> {
    const server = credentialServer(registry);
    const helper = this.#helper(server, registry);
    const entry: Record<string, string> = {};
    if (helper === undefined) {
      if (credentials.identityToken !== undefined) entry['identitytoken'] = credentials.identityToken;
      const pair = `${credentials.username ?? ''}:${credentials.identityToken === undefined ? (credentials.password ?? '') : ''}`;
      entry['auth'] = Buffer.from(pair).toString('base64');
    } else {
      const token = credentials.identityToken;
      const Username = token === undefined ? (credentials.username ?? '') : '<token>';
      const secret = { ServerURL: server, Username, Secret: token ?? credentials.password ?? '' };
      await runHelper(helper, 'store', JSON.stringify(secret));
    }
    await this.#write((auths) => auths.set(server, entry));
  }

  /** Forgets a login. Returns whether there was one in the file. */
  async erase(registry: string): Promise<boolean> {
    const server = credentialServer(registry);
    const helper = this.#helper(server, registry);
    if (helper !== undefined) await runHelper(helper, 'erase', server);
    let erased = false;
    await this.#write((auths) => {
      for (const key of auths.keys())
        if (key === server || hostOf(key) === hostOf(server)) erased = auths.delete(key) || erased;
    });
    return erased;
  }

  #helper(server: string, registry: string): string | undefined {
    const helpers = this.#document['credHelpers'];
    const own = isJsonObject(helpers) ? (helpers[server] ?? helpers[registry]) : undefined;
    const name = own ?? this.#document['credsStore'];
    if (typeof name !== 'string' || name === '') return undefined;
    if (!/^[A-Za-z0-9._-]+$/.test(name))
      throw new EngineError('invalidArgument', `${this.#file}: invalid credential helper ${JSON.stringify(name)}`);
    return name;
  }

  async #write(change: (auths: Map<string, unknown>) => void): Promise<void> {
    const latest = await DockerConfig.read(this.#file);
    const present = latest.document['auths'];
    const auths = new Map(isJsonObject(present) ? Object.entries(present) : []);
    change(auths);
    await ensureDirectory(path.dirname(this.#file));
    const document = { ...latest.document, auths: Object.fromEntries(auths) };
    await writeFileDurably(this.#file, `${JSON.stringify(document, undefined, '\t')}\n`);
  }
}

function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
}

function credentialsOf(entry: JsonObject, file: string): DockerCredentials | undefined {
  const field = (name: string): string => (typeof entry[name] === 'string' ? entry[name] : '');
  const pair = Buffer.from(field('auth'), 'base64').toString();
  const colon = pair.indexOf(':');
  if (field('auth') !== '' && colon < 0) throw new EngineError('invalidArgument', `${file}: invalid auth entry`);
  const username = field('username') || pair.slice(0, Math.max(colon, 0));
  const password = field('password') || pair.slice(colon + 1).replace(/\0+$/, '');
  if (field('identitytoken') !== '') return { username, identityToken: field('identitytoken') };
  if (field('registrytoken') !== '') return { registryToken: field('registrytoken') };
  return username === '' ? undefined : { username, password };
}

async function askHelper(helper: string, server: string): Promise<DockerCredentials | undefined> {
  const output = await runHelper(helper, 'get', server);
  if (output === undefined) return undefined;
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch (error) {
    throw new EngineError('unavailable', `docker-credential-${helper} did not answer in JSON`, { cause: error });
  }
  const fields = isJsonObject(answer) ? answer : {};
  const { Username: username, Secret: secret } = fields;
  if (typeof username !== 'string' || typeof secret !== 'string') {
    throw new EngineError('unavailable', `docker-credential-${helper} gave no user and secret`);
  }
  return username === '<token>' ? { identityToken: secret } : { username, password: secret };
}

/** Returns a helper's output; `undefined` when it has nothing for the server. */
async function runHelper(helper: string, verb: string, input: string): Promise<string | undefined> {
  const program = `docker-credential-${helper}`;
  const child = spawn(program, [verb], { stdio: ['pipe', 'pipe', 'ignore'] });
  // A helper that does not read its input is no failure in itself.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= outputLimitBytes) chunks.push(chunk);
    else child.kill('SIGKILL');
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  }).catch((error: unknown) => {
    const reason = isErrorCode(error, 'ENOENT') ? 'executable file not found in $PATH' : String(error);
    throw new EngineError('unavailable', `error getting credentials - err: exec: "${program}": ${reason}`, {
      cause: error,
    });
  });
  const output = Buffer.concat(chunks).toString().trim();
  if (status === 0) return output;
  if (output === 'credentials not found in native keychain') return undefined;
  throw new EngineError('unavailable', `error getting credentials - err: exit status ${status}, out: \`${output}\``);
}
