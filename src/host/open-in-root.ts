import { fstatSync, readSync } from 'node:fs';
import { EngineError, isErrorCode } from '../base/errors.ts';
import { closeDescriptor } from './descriptor.ts';
import { checked, libc } from './libc.ts';

const openCall = libc.func('int open(const char *path, int flags, uint32_t mode)');
const openat2Call = libc.func('syscall', 'long', ['long', 'int', 'const char *', 'void *', 'size_t']);

const SYS_OPENAT2 = 437;
const O_PATH_DIRECTORY_CLOEXEC = 0o10000000 | 0o200000 | 0o2000000;
const O_NONBLOCK_CLOEXEC_NOCTTY = 0o4000 | 0o2000000 | 0o400;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_IN_ROOT = 0x10n;
/** What is read at least at once: some files do not tell their size. */
const smallestRead = 4096;
/** Size of struct open_how: flags, mode, resolve. */
const OPEN_HOW_BYTES = 24;

/**
 * Opens a file for reading below a directory that is `/` for it: neither `..` nor links lead out, whatever others rename
 * meanwhile (openat2(2), RESOLVE_IN_ROOT). Opening never waits, on a fifo neither. The caller closes the descriptor.
 *
 * @throws {SystemCallError} ENOENT, ENOTDIR, ELOOP, …
 */
export function openInRoot(root: string, path: string): number {
  const directory = checked(openCall(root, O_PATH_DIRECTORY_CLOEXEC, 0), 'open', root);
  try {
    const how = Buffer.alloc(OPEN_HOW_BYTES);
    how.writeBigUInt64LE(BigInt(O_NONBLOCK_CLOEXEC_NOCTTY), 0);
    how.writeBigUInt64LE(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, 16);
    return checked(Number(openat2Call(SYS_OPENAT2, directory, path, how, OPEN_HOW_BYTES)), 'openat2', path);
  } finally {
    closeDescriptor(directory);
  }
}

/**
 * Reads a small regular file below `root`; `undefined` when there is none.
 *
 * @throws {EngineError} invalidArgument when it is no regular file or larger than `limitBytes`.
 */
export function readFileInRoot(root: string, path: string, limitBytes: number): Buffer | undefined {
  let fd: number;
  try {
    fd = openInRoot(root, path);
  } catch (error) {
    if (isErrorCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw new EngineError('invalidArgument', `${path} in the container is not a regular file`);
    // By the file's size and not by the limit: large buffers for small files would keep the garbage collector busy.
    let bytes = Buffer.alloc(Math.min(Math.max(status.size, smallestRead), limitBytes) + 1);
    let length = 0;
    for (;;) {
      const count = readSync(fd, bytes, length, bytes.length - length, length);
      if (count === 0) return bytes.subarray(0, length);
      length += count;
      if (length > limitBytes)
        throw new EngineError('invalidArgument', `${path} in the container is larger than ${limitBytes} bytes`);
      if (length === bytes.length) bytes = Buffer.concat([bytes], Math.min(bytes.length * 2, limitBytes + 1));
    }
  } finally {
    closeDescriptor(fd);
  }
}
