import koffi from 'koffi';
import { EngineError } from '../base/errors.ts';

/**
 * The C library, loaded once. Every kernel call of the product is declared through {@link libc}`.func` in a file of `host/`,
 * one family a file. koffi has no `ssize_t`: declare `intptr_t`.
 */
export const libc: ReturnType<typeof koffi.load> = koffi.load(null);

/** Returns errno of the call just made on this thread; read it before anything else can make a system call. */
export function lastErrno(): number {
  return koffi.errno();
}

const errnoNames: ReadonlyMap<number, string> = new Map(
  Object.entries(koffi.os.errno).map(([name, value]) => [value, name] as const),
);

/** A failed system call. `code` is the errno's name (`ENOENT`, …), as in Node's own errors. */
export class SystemCallError extends EngineError {
  readonly code: string;
  readonly errno: number;

  constructor(call: string, errno: number, subject?: string) {
    const code = errnoNames.get(errno) ?? `errno ${errno}`;
    super('internal', `${call}${subject === undefined ? '' : ` ${subject}`}: ${code}`);
    this.name = 'SystemCallError';
    this.code = code;
    this.errno = errno;
  }
}

/**
 * Returns the result of a system call that answers −1 on failure.
 *
 * @throws {SystemCallError} when it did.
 */
export function checked(result: number, call: string, subject?: string): number {
  if (result >= 0) return result;
  throw new SystemCallError(call, lastErrno(), subject);
}
