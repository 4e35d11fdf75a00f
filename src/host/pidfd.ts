import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { isErrorCode } from '../base/errors.ts';
import { checked, lastErrno, libc, SystemCallError } from './libc.ts';

const pidfdOpenCall = libc.func('syscall', 'long', ['long', 'int', 'uint']);
const pidfdSignalCall = libc.func('syscall', 'long', ['long', 'int', 'int', 'void *', 'uint']);
const waitidCall = libc.func('int waitid(int kind, int id, void *info, int options)');
const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, void *argument)');

const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_SEND_SIGNAL = 424;
const P_ALL = 0;
const P_PID = 1;
const P_PIDFD = 3;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x1000000;
const CLD_EXITED = 1;
const PIDFD_GET_INFO = 0xc040ff0b;
const PIDFD_INFO_EXIT = 8n;
const { ECHILD, ESRCH } = koffi.os.errno as Readonly<Record<string, number>>;

/** Size of siginfo_t. */
export const SIGINFO_BYTES = 128;
/** Size of the first version of struct pidfd_info; it is part of the ioctl's number. */
export const PIDFD_INFO_BYTES = 64;

/** How a process ended: by itself with `code`, or killed by `signal`. */
export interface ChildExit {
  readonly pid: number;
  readonly code?: number;
  readonly signal?: number;
}

/** Opens a descriptor that names one process for ever; readable once it is dead. @throws {SystemCallError} ESRCH */
export function openPidfd(pid: number): number {
  return checked(Number(pidfdOpenCall(SYS_PIDFD_OPEN, pid, 0)), 'pidfd_open', String(pid));
}

/** Sends a signal; `false` when the process is gone. */
export function signalPidfd(pidfd: number, signal: number): boolean {
  if (Number(pidfdSignalCall(SYS_PIDFD_SEND_SIGNAL, pidfd, signal, null, 0)) === 0) return true;
  const errno = lastErrno();
  if (errno === ESRCH) return false;
  throw new SystemCallError('pidfd_send_signal', errno);
}

/** Reaps a dead child; `undefined` while it lives. @throws {SystemCallError} ECHILD when it is no child of this process. */
export function waitPidfd(pidfd: number): ChildExit | undefined {
  const info = Buffer.alloc(SIGINFO_BYTES);
  checked(waitidCall(P_PIDFD, pidfd, info, WEXITED | WNOHANG), 'waitid');
  return decodeExit(info);
}

/** Shows a dead child of this process without reaping it; `undefined` when there is none. */
export function peekDeadChild(): ChildExit | undefined {
  return waitOrNone(P_ALL, 0, WEXITED | WNOHANG | WNOWAIT);
}

/** Reaps a dead child; `undefined` when it lives or is no child of this process. */
export function reapChild(pid: number): ChildExit | undefined {
  return waitOrNone(P_PID, pid, WEXITED | WNOHANG);
}

function waitOrNone(kind: number, id: number, options: number): ChildExit | undefined {
  const info = Buffer.alloc(SIGINFO_BYTES);
  const result: number = waitidCall(kind, id, info, options);
  if (result < 0 && lastErrno() === ECHILD) return undefined;
  checked(result, 'waitid');
  return decodeExit(info);
}

/**
 * Returns the end of a process that another has reaped, from a pidfd opened before its death; `undefined` before it is
 * reaped, and on kernels before 6.15.
 */
export function exitOfReaped(pidfd: number, pid: number): ChildExit | undefined {
  const info = Buffer.alloc(PIDFD_INFO_BYTES);
  info.writeBigUInt64LE(PIDFD_INFO_EXIT, 0);
  if ((ioctlCall(pidfd, PIDFD_GET_INFO, info) as number) < 0) return undefined;
  // Without the bit in the answer exit_code is 0 and means nothing.
  if ((info.readBigUInt64LE(0) & PIDFD_INFO_EXIT) === 0n) return undefined;
  return decodeWaitStatus(pid, info.readInt32LE(60));
}

/** The state of a process as /proc tells it. */
export interface ProcessState {
  readonly name: string;
  readonly state: string;
  readonly parent: number;
  /** Field 22 of stat, in clock ticks since boot. */
  readonly startTime: number;
  /** Set for a zombie. */
  readonly exit?: ChildExit;
}

/** Reads /proc/PID/stat; `undefined` when there is no such process. */
export function readProcessState(pid: number): ProcessState | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (isErrorCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  return parseProcessStat(pid, text);
}

/** Parses /proc/PID/stat (proc(5)). The name may hold anything, parentheses and spaces too. */
export function parseProcessStat(pid: number, text: string): ProcessState {
  const end = text.lastIndexOf(')');
  const fields = text
    .slice(end + 2)
    .trim()
    .split(' ');
  const state = fields[0] ?? '';
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    state,
    parent: Number(fields[1]),
    startTime: Number(fields[19]),
    ...(state === 'Z' ? { exit: decodeWaitStatus(pid, Number(fields.at(-1))) } : {}),
  };
}

/** Decodes a wait status (wait(2)). */
export function decodeWaitStatus(pid: number, status: number): ChildExit {
  const signal = status & 0x7f;
  return signal === 0 ? { pid, code: (status >> 8) & 0xff } : { pid, signal };
}

/** Returns the exit code a shell would show: 128 + signal for a killed process. */
export function shellExitCode(exit: ChildExit): number {
  return exit.signal === undefined ? (exit.code ?? 0) : 128 + exit.signal;
}

function decodeExit(info: Buffer): ChildExit | undefined {
  const pid = info.readInt32LE(16);
  if (pid === 0) return undefined;
  const status = info.readInt32LE(24);
  return info.readInt32LE(8) === CLD_EXITED ? { pid, code: status } : { pid, signal: status };
}
