import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { isErrorCode } from '../../base/errors.ts';
import {
  closeDescriptor,
  duplicateDescriptor,
  makeFifo,
  openDescriptor,
  setNonBlocking,
} from '../../host/descriptor.ts';
import { createPipe, readBytes } from '../../host/pipe.ts';
import { DescriptorWatch } from '../../host/poll.ts';
import { setTerminalSize } from '../../host/terminal.ts';
import { acceptConnection, listenAt, receiveMessage } from '../../host/unix-socket.ts';
import type { TerminalSize } from '../process-host.ts';
import { spawnRuntime } from '../oci-runtime.ts';
import type { RuntimeSetup } from '../oci-runtime.ts';
import type { ProcessRecord } from './protocol.ts';

const MAX_MESSAGE_BYTES = 16 * 1024;

/**
 * A process being started: its pipes, and the runtime's command that was spawned for it. The ends that the process got are
 * closed here as soon as the runtime has them.
 */
export interface Launch {
  readonly runtimePid: number;
  /** Where output comes from: [stdout or terminal, stderr]. Known for a terminal once the runtime has ended. */
  readonly outputs: [number | undefined, number | undefined];
  readonly input: number | undefined;
  /** What the runtime said; empties the pipe. */
  readRuntimeText(): string;
  /** To be called when the runtime has ended well: returns the pid, and takes over the terminal. */
  takeResult(): number;
  /** Closes all that was not taken. */
  discard(): void;
}

/** Places of a process's files below EXEC_ROOT/monitor. Short: sockets' paths have 107 bytes. */
export function launchPaths(
  directory: string,
  slot: number,
): Readonly<Record<'stdout' | 'stderr' | 'console' | 'pid', string>> {
  const at = (suffix: string): string => path.join(directory, `${slot}.${suffix}`);
  return { stdout: at('out'), stderr: at('err'), console: at('tty'), pid: at('pid') };
}

/** Spawns the runtime's command for a process. @throws {SystemCallError} when pipes or the runtime cannot be had */
export function launch(setup: RuntimeSetup, directory: string, record: ProcessRecord): Launch {
  const paths = launchPaths(directory, record.slot);
  removeFiles(directory, record.slot);
  return record.stdio.terminal ? launchWithTerminal(setup, paths, record) : launchWithPipes(setup, paths, record);
}

/** Removes what a start left in the file system. */
export function removeFiles(directory: string, slot: number): void {
  for (const file of Object.values(launchPaths(directory, slot))) rmSync(file, { force: true });
}

type Paths = ReturnType<typeof launchPaths>;

/*
 * stdout and stderr are fifos that the process holds for reading and writing: even with engine and monitor dead they have a
 * reader, so the process gets no SIGPIPE, and what it writes waits for the next monitor.
 */
function launchWithPipes(setup: RuntimeSetup, paths: Paths, record: ProcessRecord): Launch {
  const opened: number[] = [];
  const open = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  try {
    makeFifo(paths.stdout);
    makeFifo(paths.stderr);
    const theirs = [
      open(openDescriptor(paths.stdout, 'readWrite')),
      open(openDescriptor(paths.stderr, 'readWrite')),
    ] as const;
    const stdout = open(openDescriptor(paths.stdout, 'readNonBlocking'));
    const stderr = open(openDescriptor(paths.stderr, 'readNonBlocking'));
    const stdin = record.stdio.openStdin ? createPipe() : undefined;
    if (stdin) opened.push(stdin.read, stdin.write);
    const runtimePid = spawnRuntime(setup, record.runtime, command(record, paths), [stdin?.read ?? null, ...theirs]);
    for (const fd of [...theirs, ...(stdin ? [stdin.read] : [])]) closeDescriptor(fd);
    return {
      runtimePid,
      outputs: [stdout, stderr],
      input: stdin?.write,
      readRuntimeText: () => readText(stderr),
      takeResult: () => takePid(paths.pid),
      discard: () => [stdout, stderr, ...(stdin ? [stdin.write] : [])].forEach(closeDescriptor),
    };
  } catch (error) {
    opened.forEach(closeDescriptor);
    throw error;
  }
}

function launchWithTerminal(setup: RuntimeSetup, paths: Paths, record: ProcessRecord): Launch {
  const messages = createPipe();
  setNonBlocking(messages.read);
  const console = new ConsoleSocket(paths.console, record.stdio.size);
  let runtimePid: number;
  try {
    const terminal = ['--console-socket', paths.console, ...(record.kind === 'exec' ? ['--tty'] : [])];
    const [verb = '', ...rest] = command(record, paths);
    runtimePid = spawnRuntime(
      setup,
      record.runtime,
      [verb, ...terminal, ...rest],
      [null, messages.write, messages.write],
    );
  } catch (error) {
    console.close();
    closeDescriptor(messages.read);
    throw error;
  } finally {
    closeDescriptor(messages.write);
  }
  let input: number | undefined;
  const outputs: [number | undefined, number | undefined] = [undefined, undefined];
  return {
    runtimePid,
    outputs,
    get input() {
      return input;
    },
    // Non-blocking: an orphan of the runtime may still hold the other end.
    readRuntimeText: () => readText(messages.read),
    takeResult: () => {
      outputs[0] = console.take();
      input = duplicateDescriptor(outputs[0]);
      console.close();
      closeDescriptor(messages.read);
      return takePid(paths.pid);
    },
    discard: () => {
      console.close();
      closeDescriptor(messages.read);
    },
  };
}

/** Where the runtime hands over a terminal: it connects, sends one message with the master's descriptor, and goes on. */
class ConsoleSocket {
  readonly #path: string;
  readonly #size: TerminalSize | undefined;
  readonly #listener: number;
  readonly #listening: DescriptorWatch;
  #connection: number | undefined;
  #receiving: DescriptorWatch | undefined;
  #master: number | undefined;

  constructor(socketPath: string, size: TerminalSize | undefined) {
    this.#path = socketPath;
    this.#size = size;
    this.#listener = listenAt(socketPath, 'stream');
    // Taken at once and not when the runtime has ended, so that the program finds its size set.
    this.#listening = new DescriptorWatch(this.#listener, { readable: true }, () => this.#accept());
  }

  /** Returns the master, which is the caller's from now on. @throws {Error} when the runtime sent none */
  take(): number {
    this.#accept();
    const master = this.#master;
    this.#master = undefined;
    if (master === undefined) throw new Error('the runtime sent no terminal');
    return master;
  }

  close(): void {
    this.#listening.close();
    closeDescriptor(this.#listener);
    this.#receiving?.close();
    if (this.#connection !== undefined) closeDescriptor(this.#connection);
    if (this.#master !== undefined) closeDescriptor(this.#master);
    rmSync(this.#path, { force: true });
  }

  #accept(): void {
    if (this.#connection === undefined) {
      this.#connection = acceptConnection(this.#listener);
      if (this.#connection === undefined) return;
      this.#listening.pause();
      this.#receiving = new DescriptorWatch(this.#connection, { readable: true }, () => this.#receive());
    }
    this.#receive();
  }

  #receive(): void {
    if (this.#master !== undefined || this.#connection === undefined) {
      this.#receiving?.pause();
      return;
    }
    const message = receiveMessage(this.#connection);
    if (message === 'again') return;
    this.#receiving?.pause();
    if (message === 'end') return;
    this.#master = message.descriptors[0];
    if (this.#master !== undefined && this.#size) setTerminalSize(this.#master, this.#size.rows, this.#size.columns);
  }
}

function command(record: ProcessRecord, paths: Paths): readonly string[] {
  if (record.kind === 'exec') {
    return ['exec', '--detach', '--pid-file', paths.pid, '--process', record.processFile ?? '', record.containerId];
  }
  return ['run', '--detach', '--pid-file', paths.pid, '--bundle', record.bundle ?? '', record.id];
}

function takePid(file: string): number {
  const pid = Number(readFileSync(file, 'latin1'));
  rmSync(file, { force: true });
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`${file} holds no pid`);
  return pid;
}

function readText(fd: number): string {
  const bytes = Buffer.alloc(MAX_MESSAGE_BYTES);
  const count = readBytes(fd, bytes, bytes.length);
  return typeof count === 'number' ? bytes.toString('utf8', 0, count) : '';
}

/** Reads the pid that a runtime wrote, if it came that far. */
export function readPidFile(directory: string, slot: number): number | undefined {
  try {
    const pid = Number(readFileSync(launchPaths(directory, slot).pid, 'latin1'));
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
