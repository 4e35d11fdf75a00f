import type { DockerCredentials } from '../../config/docker-config.ts';
import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { flag } from '../flags/flag.ts';
import { textOf } from '../format/fields.ts';
import { officialServer } from '../registry-auth.ts';
import { isTerminal } from '../session.ts';

/** `slipway login`. */
export const loginCommand: Command = {
  names: ['login'],
  usage: '[OPTIONS] [SERVER]',
  summary: 'Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.',
  flags: [
    flag('p', 'password', 'string', 'Password or Personal Access Token (PAT)'),
    flag('', 'password-stdin', 'bool', 'Take the Password or Personal Access Token (PAT) from stdin'),
    flag('u', 'username', 'string', 'Username'),
  ],
  count: { min: 0, max: 1 },
  run: login,
};

/** `slipway logout`. */
export const logoutCommand: Command = {
  names: ['logout'],
  usage: '[SERVER]',
  summary: 'Log out from a registry.\nIf no server is specified, the default is defined by the daemon.',
  flags: [],
  count: { min: 0, max: 1 },
  run: async ({ session, args: [server] }) => {
    const registry = registryOf(server);
    const shown = registry === 'docker.io' ? officialServer : registry;
    session.print(`Removing login credentials for ${shown}\n`);
    await (await session.config()).erase(registry);
    return 0;
  },
};

async function login(invocation: Invocation): Promise<number> {
  const { session, args } = invocation;
  const registry = registryOf(args[0]);
  const config = await session.config();
  const { username, password } = await askFor(invocation, registry, await config.credentials(registry));
  const serveraddress = registry === 'docker.io' ? officialServer : registry;
  const answer = await session.engine.object('POST', '/auth', { body: { username, password, serveraddress } });
  const token = textOf(answer['IdentityToken']);
  await config.store(registry, token === '' ? { username, password } : { username, identityToken: token });
  if (config.keepsPlainText(registry)) {
    session.warn(
      `\nWARNING! Your credentials are stored unencrypted in '${await session.configFile()}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n`,
    );
  }
  session.print(`${textOf(answer['Status'])}\n`);
  return 0;
}

interface Login {
  readonly username: string;
  readonly password: string;
}

async function askFor(
  { session, flags, args }: Invocation,
  registry: string,
  known: DockerCredentials | undefined,
): Promise<Login> {
  if (flags.has('password')) {
    session.warn('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
    if (flags.bool('password-stdin')) throw new CommandError('--password and --password-stdin are mutually exclusive');
  }
  let username = flags.string('username');
  let password = flags.string('password');
  if (flags.bool('password-stdin')) {
    if (username === '') throw new CommandError('the --password-stdin option requires --username to be set');
    password = (await readAll()).replace(/\r?\n$/, '');
  }
  if (username === '' && password === '' && known?.username && known.password) {
    session.print('Authenticating with existing credentials...\n');
    return { username: known.username, password: known.password };
  }
  if (username !== '' && password !== '') return { username, password };
  if (!isTerminal('stdin')) throw new CommandError('Error: Cannot perform an interactive login from a non TTY device');
  if (registry === 'docker.io' && args.length === 0) session.print('Log in with your Docker ID or email address.\n\n');
  username ||= (await ask('Username: ', 'shown')).trim();
  if (username === '') throw new CommandError('Error: Non-null Username Required');
  password ||= await ask('Password: ', 'hidden');
  if (password === '') throw new CommandError('Error: Password Required');
  return { username, password };
}

/** Returns the registry's host of what may be a whole address. */
function registryOf(server: string | undefined): string {
  const host = (server ?? '').replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
  return host === '' || host === 'index.docker.io' ? 'docker.io' : host;
}

async function readAll(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function ask(prompt: string, echo: 'shown' | 'hidden'): Promise<string> {
  process.stdout.write(prompt);
  const { createInterface } = await import('node:readline');
  const output = echo === 'shown' ? process.stdout : undefined;
  const lines = createInterface({ input: process.stdin, terminal: true, ...(output ? { output } : {}) });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      lines.once('close', () => reject(new CommandError('\nuser interrupted')));
      lines.once('SIGINT', () => lines.close());
    });
  } finally {
    lines.close();
    if (echo === 'hidden') process.stdout.write('\n');
  }
}
