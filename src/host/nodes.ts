import { checked, lastErrno, libc, SystemCallError } from './libc.ts';

/** A path; bytes where it need not be UTF-8. */
export type PathBytes = string | Uint8Array;

const mknodCall = libc.func('int mknod(const void *path, unsigned int mode, unsigned long device)');
const utimensatCall = libc.func('int utimensat(int directory, const void *path, const void *times, int flags)');
const syncfsCall = libc.func('int syncfs(int descriptor)');

const atFdcwd = -100;
const noFollow = 0x100;

/** Type bits of a file mode. */
export const modeType = {
  mask: 0o170000,
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

/** Returns a path as the kernel takes it: its bytes and a NUL. */
export function pathBytes(path: PathBytes): Buffer {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  const terminated = Buffer.alloc(bytes.length + 1);
  terminated.set(bytes);
  return terminated;
}

/** Returns a path for a message. */
export function pathText(path: PathBytes): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString('utf8');
}

/** Returns the kernel's number of a device (makedev(3)). */
export function deviceNumber(major: number, minor: number): bigint {
  const high = BigInt(major);
  const low = BigInt(minor);
  return (low & 0xffn) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | ((high & ~0xfffn) << 32n);
}

/** Splits the kernel's number of a device. */
export function splitDeviceNumber(device: bigint): { readonly major: number; readonly minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)),
    minor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn)),
  };
}

/** Makes a device, fifo or socket node; `mode` has the type bits. The umask applies. @throws {SystemCallError} */
export function makeNode(path: PathBytes, mode: number, device: bigint = 0n): void {
  checked(Number(mknodCall(pathBytes(path), mode, device)), 'mknod', pathText(path));
}

/** Sets the modification and access time to the nanosecond; links are not followed. @throws {SystemCallError} */
export function setTimes(path: PathBytes, seconds: number, nanoseconds: number): void {
  const times = Buffer.alloc(32);
  for (const offset of [0, 16]) {
    times.writeBigInt64LE(BigInt(seconds), offset);
    times.writeBigInt64LE(BigInt(nanoseconds), offset + 8);
  }
  checked(Number(utimensatCall(atFdcwd, pathBytes(path), times, noFollow)), 'utimensat', pathText(path));
}

/** Flushes the whole file system that a descriptor lies on, without blocking the event loop. @throws {SystemCallError} */
export function syncFileSystem(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    syncfsCall.async(descriptor, (error: unknown, value: unknown) => {
      if (error) reject(new Error('koffi could not make the call', { cause: error }));
      else if (Number(value) < 0) reject(new SystemCallError('syncfs', lastErrno()));
      else resolve();
    });
  });
}

/** {@link syncFileSystem} on the calling thread, for workers. */
export function syncFileSystemSync(descriptor: number): void {
  checked(Number(syncfsCall(descriptor)), 'syncfs');
}
