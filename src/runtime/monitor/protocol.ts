import type { AttachRequest, ProcessStdio } from '../process-host.ts';

/*
 * Messages between engine and monitor, on EXEC_ROOT/monitor.sock (SOCK_SEQPACKET, JSON with descriptors). Requests carry `seq`,
 * answers repeat it; a list is answered in parts. Engine and monitor can be of different versions: `hello` settles it, unknown
 * operations are answered with an error.
 */

/** Highest version of this protocol. */
export const PROTOCOL_VERSION = 1;

/** Names of descriptors that travel with a message, in their order there. */
export type DescriptorName =
  'pidfd' | 'stdin' | 'terminal' | 'stdout' | 'stderr' | 'stagingRead' | 'stagingWrite' | 'attachment';

/** Descriptors by what they are. */
export type Descriptors = Partial<Record<DescriptorName, number>>;

/** Everything about a process that a monitor's successor needs; kept in a file from before it is started. */
export interface ProcessRecord {
  readonly v: 1;
  readonly id: string;
  readonly kind: 'container' | 'exec';
  /** Of an exec: its container. */
  readonly containerId: string;
  readonly runtime: 'crun' | 'runc';
  /** Of a container. */
  readonly bundle?: string;
  readonly cgroupsPath?: string;
  /** Of an exec: the file with the runtime-spec's process object. */
  readonly processFile?: string;
  readonly stdio: ProcessStdio;
  readonly slot: number;
  state: 'starting' | 'running' | 'dead';
  pid?: number;
  startTime?: number;
  exit?: ExitRecord;
  stdinClosed?: boolean;
}

/** How a process ended, in plain values. */
export interface ExitRecord {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Milliseconds since 1970. */
  readonly finishedAt: number;
  readonly reason?: string;
}

/** What the engine asks. */
export type MonitorRequest =
  | { readonly op: 'hello'; readonly versions: readonly number[] }
  | { readonly op: 'adopt'; readonly id: string; readonly names: readonly DescriptorName[] }
  | {
      readonly op: 'adoptAttachment';
      readonly id: string;
      readonly request: AttachRequest;
      readonly positions: Positions;
    }
  | { readonly op: 'recover'; readonly names: readonly DescriptorName[] }
  | { readonly op: 'list' }
  | { readonly op: 'start'; readonly process: StartRequest; readonly attach?: AttachRequest }
  | { readonly op: 'attach'; readonly id: string; readonly request: AttachRequest }
  | { readonly op: 'forget'; readonly id: string }
  | { readonly op: 'stop' };

/** How a process is to be started; without what the monitor adds. */
export type StartRequest = Omit<ProcessRecord, 'v' | 'slot' | 'state' | 'pid' | 'startTime' | 'exit' | 'stdinClosed'>;

/** How many bytes of each output stream, and of the input, the engine has seen through. */
export interface Positions {
  readonly stdout: number;
  readonly stderr: number;
  readonly input: number;
}

/** What the monitor answers; the descriptors of the message bear `names`. */
export interface MonitorAnswer {
  readonly seq: number;
  /** More parts follow. */
  readonly more?: boolean;
  readonly names?: readonly DescriptorName[];
  readonly error?: { readonly kind: string; readonly message: string; readonly runtime?: RuntimeFailure };
  readonly result?: unknown;
}

/** A runtime's failure, in plain values. */
export interface RuntimeFailure {
  readonly exitCode: 125 | 126 | 127;
  readonly runtimeText: string;
}

/** What the monitor tells by itself. */
export type MonitorEvent =
  | { readonly event: 'exit'; readonly id: string; readonly exit: ExitRecord }
  | { readonly event: 'stdinClosed'; readonly id: string };

/** Answer to `hello`. */
export interface HelloResult {
  readonly version: number;
  readonly pid: number;
  /** Whether the monitor knows its processes already; else `adopt` and `recover` come first. */
  readonly serving: boolean;
}

/** A process in the answers to `list` and `start`. */
export interface ProcessView {
  readonly id: string;
  readonly kind: 'container' | 'exec';
  readonly pid: number;
  readonly startTime: number;
  readonly exit?: ExitRecord;
  readonly terminal: boolean;
}

/** Pairs names with the descriptors of a message. */
export function nameDescriptors(
  names: readonly DescriptorName[] | undefined,
  descriptors: readonly number[],
): Descriptors {
  const named: Descriptors = {};
  names?.forEach((name, index) => {
    const fd = descriptors[index];
    if (fd !== undefined) named[name] = fd;
  });
  return named;
}

/** Ids become file names. */
export function isValidId(id: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(id);
}
