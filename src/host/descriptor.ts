import { checked, lastErrno, libc, SystemCallError } from './libc.ts';
import koffi from 'koffi';

const closeCall = libc.func('int close(int fd)');
const fcntlCall = libc.func('int fcntl(int fd, int command, int64_t argument)');
const flockCall = libc.func('int flock(int fd, int operation)');
const openCall = libc.func('int open(const char *path, int flags, uint32_t mode)');
const mkfifoCall = libc.func('int mkfifo(const char *path, uint32_t mode)');

const closeRangeCall = libc.func('syscall', 'long', ['long', 'uint', 'uint', 'uint']);

const SYS_CLOSE_RANGE = 436;
const CLOSE_RANGE_CLOEXEC = 4;
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const LOCK_EX = 2;
const LOCK_NB = 4;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/** How {@link openDescriptor} opens: always close-on-exec. */
export type OpenMode = 'read' | 'write' | 'readWrite' | 'readNonBlocking';

const openFlags: Readonly<Record<OpenMode, number>> = {
  read: 0,
  write: 1,
  readWrite: 2,
  readNonBlocking: O_NONBLOCK,
};

/** Opens a path synchronously on this thread, close-on-exec. @throws {SystemCallError} */
export function openDescriptor(path: string, mode: OpenMode): number {
  return checked(openCall(path, openFlags[mode] | O_CLOEXEC, 0), 'open', path);
}

/** Closes a descriptor. Closing a bad one is a bug and throws. */
export function closeDescriptor(fd: number): void {
  const result: number = closeCall(fd);
  // After EINTR Linux has closed the descriptor all the same.
  if (result < 0 && lastErrno() !== koffi.os.errno['EINTR'])
    throw new SystemCallError('close', lastErrno(), String(fd));
}

/** Returns a second, close-on-exec descriptor of the same open file description. */
export function duplicateDescriptor(fd: number): number {
  return checked(fcntlCall(fd, F_DUPFD_CLOEXEC, 3), 'fcntl F_DUPFD_CLOEXEC', String(fd));
}

/** Says whether a descriptor closes when this process executes another program. */
export function setCloseOnExec(fd: number, closes: boolean): void {
  const flags = checked(fcntlCall(fd, F_GETFD, 0), 'fcntl F_GETFD', String(fd));
  checked(fcntlCall(fd, F_SETFD, closes ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC), 'fcntl F_SETFD', String(fd));
}

/** Makes reads and writes through this open file description answer EAGAIN instead of waiting. */
export function setNonBlocking(fd: number): void {
  const flags = checked(fcntlCall(fd, F_GETFL, 0), 'fcntl F_GETFL', String(fd));
  checked(fcntlCall(fd, F_SETFL, flags | O_NONBLOCK), 'fcntl F_SETFL', String(fd));
}

/** Takes the exclusive lock of a file without waiting; `false` when another description holds it. */
export function tryLock(fd: number): boolean {
  if ((flockCall(fd, LOCK_EX | LOCK_NB) as number) === 0) return true;
  const errno = lastErrno();
  if (errno === koffi.os.errno['EAGAIN']) return false;
  throw new SystemCallError('flock', errno, String(fd));
}

/** Makes a named pipe. @throws {SystemCallError} EEXIST, … */
export function makeFifo(path: string, mode = 0o600): void {
  checked(mkfifoCall(path, mode), 'mkfifo', path);
}

/** Makes every open descriptor from 3 on close-on-exec: what the parent of this process left open reaches no child. */
export function closeInheritedOnExec(): void {
  checked(Number(closeRangeCall(SYS_CLOSE_RANGE, 3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC)), 'close_range');
}
