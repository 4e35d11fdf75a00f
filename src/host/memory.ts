import koffi from 'koffi';
import { lastErrno, libc, SystemCallError } from './libc.ts';

const mmapCall = libc.func(
  'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
);

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Memory at a fixed address, never moved or freed while the process lives: system calls may keep pointers into it. */
export interface MappedMemory {
  readonly bytes: Buffer;
  readonly address: bigint;
}

/** Maps `length` bytes of an open file, shared: what is written here outlives this process. */
export function mapFile(fd: number, length: number): MappedMemory {
  return map(length, MAP_SHARED, fd);
}

/** Maps `length` zero bytes that belong to this process only. */
export function mapAnonymous(length: number): MappedMemory {
  return map(length, MAP_PRIVATE_ANONYMOUS, -1);
}

function map(length: number, flags: number, fd: number): MappedMemory {
  const address: unknown = mmapCall(null, length, PROT_READ_WRITE, flags, fd, 0);
  if (typeof address !== 'bigint' || BigInt.asUintN(64, address) === MAP_FAILED) {
    throw new SystemCallError('mmap', lastErrno(), `${length} bytes`);
  }
  return { bytes: Buffer.from(koffi.view(address, length)), address };
}
