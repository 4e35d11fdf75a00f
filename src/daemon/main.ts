import { chmod, rm, stat } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { pino } from 'pino';
import { createApiServer } from '../api/server.ts';
import { engineRoutes } from '../api/routes.ts';
import { EngineError, isErrorCode, messageOf } from '../base/errors.ts';
import { ensureDirectory, writeFileDurably } from '../base/files.ts';
import { silentLogger, type Logger } from '../base/log.ts';
import { daemonConfig, readDaemonFile, type DaemonConfig, type GivenSettings } from '../config/daemon-config.ts';
import { createEngine, type EngineOptions } from '../engine/engine.ts';
import { flagHelp, readFlags, type FlagDescription } from './arguments.ts';
import { untilSignal } from './signals.ts';

const flags: Readonly<Record<string, FlagDescription>> = {
  'config-file': { value: 'string', help: 'Engine configuration file (default "/etc/slipway/daemon.json")' },
  'data-root': { value: 'string', help: 'Where images and containers are kept (default "/var/lib/slipway")' },
  'exec-root': { value: 'string', help: 'Where the state of running containers is kept (default "/run/slipway")' },
  host: {
    short: 'H',
    value: 'list',
    repeatable: true,
    help: 'Socket(s) to listen on (default "unix://EXEC-ROOT/slipway.sock")',
  },
  'registry-mirror': { value: 'list', repeatable: true, help: 'Mirror of docker.io to try first' },
  'insecure-registry': {
    value: 'list',
    repeatable: true,
    help: 'Registry that may speak HTTP or show any certificate',
  },
  'log-level': { value: 'string', help: 'debug, info, warn, error or fatal (default "info")' },
  pidfile: { value: 'string', help: 'File to write the process id to' },
  bip: { value: 'string', help: 'Address and prefix of the default bridge' },
  bridge: { value: 'string', help: '"none" for no bridge network' },
};

/** Flags are singular, daemon.json's lists plural. */
const listNames: Readonly<Record<string, string>> = {
  host: 'hosts',
  'registry-mirror': 'registry-mirrors',
  'insecure-registry': 'insecure-registries',
};

/** Runs an engine in the foreground until it is told to stop. Returns the exit code. */
export async function runDaemon(argv: readonly string[]): Promise<number> {
  const tearDown = argv[0] === 'tear-down';
  try {
    const { help, values } = readFlags(tearDown ? argv.slice(1) : argv, flags);
    if (help) {
      process.stdout.write(
        flagHelp(
          'slipway daemon [tear-down] [OPTIONS]',
          'The engine: images and containers behind the Engine API.\n"tear-down" stops all containers of an engine that has ended and takes what it left off this machine.',
          flags,
        ),
      );
      return 0;
    }
    const config = await readConfig(values);
    await (tearDown ? takeDown(config) : serve(config));
    return 0;
  } catch (error) {
    process.stderr.write(`slipway daemon: ${messageOf(error)}\n`);
    return 1;
  }
}

async function readConfig(values: GivenSettings): Promise<DaemonConfig> {
  const { 'config-file': file, ...given } = values;
  const settings = Object.fromEntries(Object.entries(given).map(([name, value]) => [listNames[name] ?? name, value]));
  const stored = await readDaemonFile(typeof file === 'string' ? file : '/etc/slipway/daemon.json', {
    required: file !== undefined,
  });
  return daemonConfig(settings, stored);
}

function engineOptions(config: DaemonConfig, log: Logger): EngineOptions {
  if (process.getuid?.() !== 0) throw new EngineError('permissionDenied', 'the engine needs root');
  if (config.bridge !== undefined && config.bridge !== 'none') {
    throw new EngineError(
      'notImplemented',
      `--bridge ${config.bridge}: existing bridges are not served yet, only "none"`,
    );
  }
  return {
    dataRoot: path.resolve(config.dataRoot),
    execRoot: path.resolve(config.execRoot),
    registries: { mirrors: config.registryMirrors, insecure: config.insecureRegistries },
    network: { enabled: config.bridge !== 'none', ...(config.bip === undefined ? {} : { bip: config.bip }) },
    log,
  };
}

async function takeDown(config: DaemonConfig): Promise<void> {
  const engine = await createEngine(engineOptions(config, silentLogger));
  await engine.removeFromHost();
}

async function serve(config: DaemonConfig): Promise<void> {
  const log: Logger = pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const stopped = untilSignal('SIGINT', 'SIGTERM');
  await using stack = new AsyncDisposableStack();
  const engine = stack.use(await createEngine(engineOptions(config, log)));
  const { services } = engine;
  const identity = { version: services.facts.version, experimental: false };
  for (const host of config.hosts) {
    const server = createApiServer(engineRoutes(services), identity, log);
    await listen(server, host);
    stack.defer(() => close(server));
    log.info({ host }, 'API listens');
  }
  if (config.pidfile !== undefined) {
    const { pidfile } = config;
    await ensureDirectory(path.dirname(pidfile));
    await writeFileDurably(pidfile, `${process.pid}\n`, 0o644);
    stack.defer(() => rm(pidfile, { force: true }));
  }
  log.info({ version: services.facts.version, dataRoot: config.dataRoot }, 'engine is ready');
  const signal = await stopped;
  log.info({ signal }, 'engine stops; containers go on');
}

async function listen(server: Server, host: string): Promise<void> {
  if (host.startsWith('unix://')) return listenOnSocket(server, host.slice('unix://'.length));
  const address = /^tcp:\/\/(.*):(\d{1,5})$/.exec(host);
  if (!address)
    throw new EngineError(
      'invalidArgument',
      `unable to parse docker host ${JSON.stringify(host)}: expected unix://PATH or tcp://HOST:PORT`,
    );
  const [, name = '', port = ''] = address;
  await listenAt(server, { host: name || '127.0.0.1', port: Number(port) });
}

async function listenOnSocket(server: Server, file: string): Promise<void> {
  await ensureDirectory(path.dirname(file), 0o711);
  await removeStaleSocket(file);
  // Nobody else gets in between the making of the socket and its mode.
  const before = process.umask(0o177);
  try {
    await listenAt(server, { path: file });
  } finally {
    process.umask(before);
  }
  await chmod(file, 0o660);
}

function listenAt(server: Server, address: { host: string; port: number } | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A socket that a killed engine has left is replaced; anything else in its place is not ours to remove. */
async function removeStaleSocket(file: string): Promise<void> {
  try {
    if (!(await stat(file)).isSocket())
      throw new EngineError('failedPrecondition', `${file} is there and is no socket`);
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return;
    throw error;
  }
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(file, () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });
  if (answered) throw new EngineError('failedPrecondition', `another process listens on ${file}`);
  await rm(file);
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
