/**
 * The engine's view of running processes: containers and execs, started by the OCI runtime, their stdio held by the monitor.
 *
 * Life of a process: `run` or `exec` starts it → it runs, output goes to its log file and to attached streams → `onExit` tells
 * its end, again after every reconnect, until `forget` says that the end is recorded durably. Everything here outlives the
 * engine: a new engine calls `list` and finds what runs and what has ended.
 */

/** What stdio a process gets. Without a terminal stdout and stderr are pipes. */
export interface ProcessStdio {
  readonly terminal: boolean;
  /** Whether stdin stays open for attached clients; else it is /dev/null. */
  readonly openStdin: boolean;
  /** stdin closes when the first attached client that gave input ends it. */
  readonly stdinOnce: boolean;
  readonly size?: TerminalSize;
  /** Where output is kept in docker's json-file format; without it output is only streamed. */
  readonly log?: { readonly file: string; readonly maxSizeBytes?: number; readonly maxFiles?: number };
}

/** Of a terminal, in characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** How a container is started. The bundle holds `config.json`; `rootfs` in it is mounted. */
export interface RunRequest {
  readonly id: string;
  readonly bundle: string;
  /** Path of the container's cgroup below each hierarchy, as in the bundle's `linux.cgroupsPath`. */
  readonly cgroupsPath: string;
  readonly runtime: 'crun' | 'runc';
  readonly stdio: ProcessStdio;
}

/** How a process is started in a running container. `process` is the runtime-spec's process object. */
export interface ExecRequest {
  /** Of the exec. */
  readonly id: string;
  readonly containerId: string;
  readonly runtime: 'crun' | 'runc';
  readonly process: object;
  readonly stdio: ProcessStdio;
}

/** A process as the monitor knows it. */
export interface ProcessStatus {
  readonly id: string;
  readonly kind: 'container' | 'exec';
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: with the pid it names one process for ever. */
  readonly startTime: number;
  readonly exit?: ProcessExit;
}

/** How a process ended. */
export interface ProcessExit {
  readonly id: string;
  /** As a shell sees it: 128 + signal for a killed process. */
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly finishedAt: Date;
  /** Set where the exit code could not be learned; `exitCode` is 255 then. */
  readonly reason?: string;
}

/** A client's connection to a process's stdio. Output ends when the process has ended and all was delivered. */
export interface Attachment extends AsyncDisposable {
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array }>;
  /** Gives input; settles when the process's pipe takes more. Input to a process that has ended is dropped. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends the input: closes stdin of a pipe; on a terminal nothing happens. */
  endInput(): Promise<void>;
}

/** Processes by id; see the head of this file. */
export interface ProcessHost extends AsyncDisposable {
  /**
   * Starts a container. Settles when its program runs.
   *
   * @throws {RuntimeError} with the runtime's text and docker's exit code (125, 126, 127); nothing is left behind then.
   */
  run(
    request: RunRequest,
    attachments?: AttachRequest,
  ): Promise<{ readonly status: ProcessStatus; readonly attachment?: Attachment }>;
  /** Starts a process in a container; as `run`. */
  exec(
    request: ExecRequest,
    attachments?: AttachRequest,
  ): Promise<{ readonly status: ProcessStatus; readonly attachment?: Attachment }>;
  /** Joins a running process's stdio from now on. @throws {EngineError} notFound */
  attach(id: string, request: AttachRequest): Promise<Attachment>;
  /** @throws {EngineError} notFound when it has ended. */
  resize(id: string, size: TerminalSize): Promise<void>;
  /** Sends a signal to the process itself. @throws {EngineError} notFound when it has ended. */
  signal(id: string, signal: number): Promise<void>;
  /** Tells every end until it is forgotten; returns a function that stops the telling. */
  onExit(listener: (exit: ProcessExit) => void): () => void;
  /** The end was recorded durably. */
  forget(id: string): Promise<void>;
  list(): Promise<readonly ProcessStatus[]>;
}

/** Which streams a client wants. */
export interface AttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}
