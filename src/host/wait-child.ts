import koffi from 'koffi';
import { lastErrno, libc, SystemCallError } from './libc.ts';

const waitpidCall = libc.func('int waitpid(int pid, _Out_ int *status, int options)');
const { ECHILD, EINTR } = koffi.os.errno as Readonly<Record<string, number>>;

/**
 * Blocks this thread until a child has ended, and reaps it: for workers, whose event loop may end while a watch is on it.
 * Returns its exit code, 128 + signal when it was killed, `undefined` when somebody else in this process has reaped it.
 */
export function waitForChildSync(pid: number): number | undefined {
  const status = [0];
  for (;;) {
    const result: number = waitpidCall(pid, status, 0);
    if (result === pid) break;
    const errno = lastErrno();
    if (errno === ECHILD) return undefined;
    if (errno !== EINTR) throw new SystemCallError('waitpid', errno, String(pid));
  }
  const value = status[0] ?? 0;
  return (value & 0x7f) === 0 ? (value >> 8) & 0xff : 128 + (value & 0x7f);
}
