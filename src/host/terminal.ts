import { checked, libc } from './libc.ts';

const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, void *argument)');

const TIOCSWINSZ = 0x5414;

/** Sets the size of a terminal through either of its ends; its foreground processes get SIGWINCH. */
export function setTerminalSize(fd: number, rows: number, columns: number): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  checked(ioctlCall(fd, TIOCSWINSZ, size), 'ioctl TIOCSWINSZ', String(fd));
}
