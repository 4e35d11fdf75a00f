/**
 * One engine under measurement, apart from everything else: a fresh ext4 in a file, a network namespace and a mount namespace
 * of its own, and a registry on that namespace's loopback. All subjects are made alike.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  symlinkSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isErrorCode } from '../src/base/errors.ts';
import { ApiClient } from './api-client.ts';
import type { Rival } from './rivals.ts';

/** Where each subject's registry listens, in the subject's own namespace. */
export const registryAddress = '127.0.0.1:5000';

/** What all subjects share. */
export interface Surroundings {
  readonly folder: string;
  readonly registryFolder: string;
  readonly fileSystemGigabytes: number;
}

interface Command {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a subject's daemon is started and what it leaves to be taken down. */
interface Program {
  readonly name: string;
  readonly version: string;
  readonly socket: string;
  prepare(data: string): void;
  start(data: string): Command;
  tearDown?(data: string): Command;
}

/** A running engine; dispose of it to take everything down again. */
export class Subject implements AsyncDisposable {
  readonly name: string;
  readonly version: string;
  readonly socket: string;
  readonly api: ApiClient;
  readonly directory: string;
  readonly #program: Program;
  readonly #holder: ChildProcess;
  #daemon: ChildProcess | undefined;
  #registry: ChildProcess | undefined;

  private constructor(program: Program, directory: string, holder: ChildProcess) {
    this.name = program.name;
    this.version = program.version;
    this.socket = program.socket;
    this.api = new ApiClient(program.socket);
    this.directory = directory;
    this.#program = program;
    this.#holder = holder;
  }

  /** Makes the surroundings and starts the daemon; settles when its API answers. */
  static async start(program: Program, surroundings: Surroundings): Promise<Subject> {
    const directory = path.join(surroundings.folder, program.name);
    makeFileSystem(directory, surroundings.fileSystemGigabytes);
    const subject = new Subject(program, directory, await holdNamespaces());
    try {
      subject.#registry = subject.#spawn(registryCommand(surroundings, directory), 'registry.log');
      program.prepare(directory);
      subject.#daemon = subject.#spawn(program.start(directory), 'daemon.log');
      await subject.#ready();
      return subject;
    } catch (error) {
      await subject[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Pids of the engine and its helpers, without containers: all that live in the mount namespace it was started in. */
  pids(): readonly number[] {
    const own = namespaceOf(this.#holder.pid ?? 0);
    const others = new Set([this.#holder.pid, this.#registry?.pid]);
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => !others.has(pid) && namespaceOf(pid) === own);
  }

  #spawn({ file, arguments: list, environment = {} }: Command, log: string): ChildProcess {
    const output = openSync(path.join(this.directory, log), 'a');
    const enter = ['-t', String(this.#holder.pid), '-m', '-n', file, ...list];
    const child = spawn('nsenter', enter, {
      stdio: ['ignore', output, output],
      env: { ...process.env, ...environment },
      // An interrupt from the terminal is for the bench, which then takes everything down.
      detached: true,
    });
    closeSync(output);
    return child;
  }

  async #ready(): Promise<void> {
    for (let attempt = 0; attempt < 300; attempt++) {
      if (this.#daemon?.exitCode !== null) break;
      try {
        await this.api.expect('GET', '/_ping', 200);
        return;
      } catch {
        // Not yet.
        await delay(100);
      }
    }
    throw new Error(`bench: ${this.name} did not start; see ${this.directory}/daemon.log`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api.close();
    await end(this.#daemon);
    const command = this.#program.tearDown?.(this.directory);
    if (command) await once(this.#spawn(command, 'tear-down.log'), 'exit');
    await end(this.#registry);
    for (const pid of this.pids()) killIfThere(pid);
    await end(this.#holder);
    rmSync(path.dirname(this.socket), { recursive: true, force: true });
    await removeFileSystem(this.directory);
  }
}

/** A rival's daemon. */
export function dockerProgram(rival: Rival): Program {
  const execRoot = execRootOf(rival.name);
  const socket = path.join(execRoot, 'docker.sock');
  return {
    name: rival.name,
    version: rival.version,
    socket,
    prepare: (data) => {
      for (const name of rival.programs === undefined ? [] : ['bin', 'sbin']) {
        cpSync(path.join(rival.programs ?? '', name), path.join(data, 'usr', name), { recursive: true });
      }
      mkdirSync(execRoot, { recursive: true });
      writeFileSync(path.join(data, 'daemon.json'), JSON.stringify(rival.settings));
    },
    // A copy of its own, as for our Node: another daemon on this machine must not share its pages.
    start: (data) => ({
      file: rival.programs === undefined ? rival.dockerd : path.join(data, 'usr/sbin/dockerd'),
      arguments: [
        '--config-file',
        path.join(data, 'daemon.json'),
        '--data-root',
        path.join(data, 'data'),
        '--exec-root',
        path.join(execRoot, 'exec'),
        '--pidfile',
        path.join(execRoot, 'dockerd.pid'),
        '-H',
        `unix://${socket}`,
        '--insecure-registry',
        '127.0.0.0/8',
      ],
      environment: {
        PATH: rival.programs === undefined ? rival.searchPath : `${data}/usr/bin:${data}/usr/sbin:${rival.searchPath}`,
      },
    }),
  };
}

/** Our engine, as `npm run setup` has built it. */
export function slipwayProgram(root: string, version: string): Program {
  const execRoot = execRootOf('slipway');
  const command = (data: string, ...more: string[]): Command => ({
    file: path.join(data, 'install/bin/slipway'),
    arguments: ['daemon', ...more, '--data-root', path.join(data, 'data'), '--exec-root', execRoot],
  });
  return {
    name: 'slipway',
    version,
    socket: path.join(execRoot, 'slipway.sock'),
    prepare: (data) => install(root, path.join(data, 'install')),
    start: (data) => command(data),
    tearDown: (data) => command(data, 'tear-down'),
  };
}

/** With a copy of Node, so that no other process on this machine shares its pages and makes the engine look small. */
function install(root: string, target: string): void {
  const node = path.join(target, process.execPath.slice(process.execPath.lastIndexOf('/node_modules/') + 1));
  for (const directory of [path.join(target, 'bin'), path.dirname(node)]) mkdirSync(directory, { recursive: true });
  copyFileSync(path.join(root, 'bin/slipway'), path.join(target, 'bin/slipway'));
  copyFileSync(process.execPath, node);
  symlinkSync(path.join(root, 'dist'), path.join(target, 'dist'));
}

function execRootOf(name: string): string {
  return `/run/slipway-bench/${name}`;
}

function registryCommand({ registryFolder }: Surroundings, directory: string): Command {
  const file = path.join(directory, 'registry.json');
  const settings = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: registryFolder } },
    http: { addr: registryAddress },
  };
  writeFileSync(file, JSON.stringify(settings));
  return { file: 'docker-registry', arguments: ['serve', file], environment: { OTEL_TRACES_EXPORTER: 'none' } };
}

function makeFileSystem(directory: string, gigabytes: number): void {
  mkdirSync(directory, { recursive: true });
  execFileSync('truncate', ['-s', `${gigabytes}G`, `${directory}.img`]);
  execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', `${directory}.img`]);
  execFileSync('mount', ['-o', 'loop', `${directory}.img`, directory]);
}

async function removeFileSystem(directory: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      execFileSync('umount', ['-R', directory], { stdio: 'pipe' });
      break;
    } catch {
      // The last process of a namespace may take a moment to go.
      await delay(100);
    }
  }
  rmSync(`${directory}.img`, { force: true });
  rmdirSync(directory);
}

/** A process that keeps the namespaces alive: its /sys shows its own network, with the machine's cgroups. */
async function holdNamespaces(): Promise<ChildProcess> {
  const script = [
    'set -e',
    'd=$(mktemp -d)',
    'mount --rbind /sys/fs/cgroup "$d"',
    'mount -t sysfs sysfs /sys',
    'mount --rbind "$d" /sys/fs/cgroup',
    'umount -l "$d"; rmdir "$d"',
    'mount --make-rshared /',
    'ip link set lo up',
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    'echo ready',
    'exec sleep infinity',
  ].join('\n');
  const holder = spawn('unshare', ['-m', '-n', '--propagation', 'private', 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  await once(holder.stdout, 'data');
  return holder;
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const patience = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(patience);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isErrorCode(error, 'ESRCH')) throw error;
  }
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    // It has ended.
    return undefined;
  }
}
