import koffi from 'koffi';
import { checked, lastErrno, libc, SystemCallError } from './libc.ts';

const pipe2Call = libc.func('int pipe2(_Out_ int *ends, int flags)');
const spliceCall = libc.func(
  'intptr_t splice(int from, void *fromOffset, int to, void *toOffset, size_t length, uint32_t flags)',
);
const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, void *argument)');
const readCall = libc.func('intptr_t read(int fd, void *bytes, size_t length)');
const writeCall = libc.func('intptr_t write(int fd, const void *bytes, size_t length)');
const pwriteCall = libc.func('intptr_t pwrite(int fd, const void *bytes, size_t length, int64_t offset)');

const O_CLOEXEC = 0o2000000;
const SPLICE_MOVE_NONBLOCK = 3;
const FIONREAD = 0x541b;
const { EAGAIN, ECONNRESET, EINTR, EIO, EPIPE } = koffi.os.errno as Readonly<Record<string, number>>;

/** The two ends of a pipe, both close-on-exec and blocking. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/** What a non-blocking call did: a count of bytes, `'again'` (nothing there or no room now), or `'end'` (other end gone). */
export type Transfer = number | 'again' | 'end';

/** Makes an anonymous pipe. */
export function createPipe(): Pipe {
  const ends = [0, 0];
  checked(pipe2Call(ends, O_CLOEXEC), 'pipe2');
  return { read: ends[0] as number, write: ends[1] as number };
}

/** Moves up to `length` bytes inside the kernel, from a pipe or terminal into a pipe. A hung-up terminal is `'end'`. */
export function spliceBytes(from: number, to: number, length: number): Transfer {
  const count: number = spliceCall(from, null, to, null, length, SPLICE_MOVE_NONBLOCK);
  return transfer(count, 'splice');
}

/** Returns how many bytes wait in a pipe. */
export function bytesWaiting(fd: number): number {
  const answer = Buffer.alloc(4);
  checked(ioctlCall(fd, FIONREAD, answer), 'ioctl FIONREAD', String(fd));
  return answer.readInt32LE(0);
}

/** Reads into memory (a buffer or an address in mapped memory). */
export function readBytes(fd: number, target: Buffer | bigint, length: number): Transfer {
  const count: number = readCall(fd, target, length);
  return transfer(count, 'read');
}

/** Writes from memory; may write less than asked. */
export function writeBytes(fd: number, source: Buffer | bigint, length: number): Transfer {
  const count: number = writeCall(fd, source, length);
  if (count === 0 && length > 0) return 'again';
  return count === 0 ? 0 : transfer(count, 'write');
}

/** Writes all of `length` bytes at an absolute position of a regular file. @throws {SystemCallError} ENOSPC, … */
export function writeAt(fd: number, source: bigint, length: number, offset: number): void {
  let done = 0;
  while (done < length) {
    const count: number = pwriteCall(fd, source + BigInt(done), length - done, offset + done);
    if (count < 0 && lastErrno() === EINTR) continue;
    done += checked(count, 'pwrite', String(fd));
  }
}

function transfer(count: number, call: string): Transfer {
  if (count > 0) return count;
  if (count === 0) return 'end';
  const errno = lastErrno();
  if (errno === EAGAIN || errno === EINTR) return 'again';
  // EIO: the other end of a terminal is gone; ECONNRESET: of a socket, with bytes unread there.
  if (errno === EIO || errno === EPIPE || errno === ECONNRESET) return 'end';
  throw new SystemCallError(call, errno);
}
