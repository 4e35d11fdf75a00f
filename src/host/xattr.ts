import { checked, lastErrno, libc, SystemCallError } from './libc.ts';
import { pathBytes, type PathBytes, pathText } from './nodes.ts';

const listCall = libc.func('intptr_t llistxattr(const void *path, void *list, size_t size)');
const getCall = libc.func('intptr_t lgetxattr(const void *path, const char *name, void *value, size_t size)');
const setCall = libc.func(
  'int lsetxattr(const void *path, const char *name, const void *value, size_t size, int flags)',
);
const removeCall = libc.func('int lremovexattr(const void *path, const char *name)');

// XATTR_LIST_MAX and XATTR_SIZE_MAX: no list and no value is longer.
const scratch = Buffer.alloc(65536);

/** Returns the names of a path's extended attributes, as latin1; links are not followed. @throws {SystemCallError} */
export function listXattrs(path: PathBytes): readonly string[] {
  const size = Number(listCall(pathBytes(path), scratch, scratch.length));
  if (size < 0) {
    const error = new SystemCallError('llistxattr', lastErrno(), pathText(path));
    if (error.code === 'ENOTSUP' || error.code === 'EOPNOTSUPP') return [];
    throw error;
  }
  if (size === 0) return [];
  return scratch.toString('latin1', 0, size - 1).split('\0');
}

/** Returns the value of an extended attribute, `undefined` when there is none. @throws {SystemCallError} */
export function getXattr(path: PathBytes, name: string): Buffer | undefined {
  const size = Number(getCall(pathBytes(path), name, scratch, scratch.length));
  if (size >= 0) return Buffer.from(scratch.subarray(0, size));
  const error = new SystemCallError('lgetxattr', lastErrno(), `${name} of ${pathText(path)}`);
  if (error.code === 'ENODATA' || error.code === 'ENOTSUP' || error.code === 'EOPNOTSUPP') return undefined;
  throw error;
}

/** Returns all extended attributes of a path; links are not followed. @throws {SystemCallError} */
export function readXattrs(path: PathBytes): ReadonlyMap<string, Buffer> {
  const attributes = new Map<string, Buffer>();
  for (const name of listXattrs(path)) {
    const value = getXattr(path, name);
    if (value !== undefined) attributes.set(name, value);
  }
  return attributes;
}

/** Sets an extended attribute; links are not followed. @throws {SystemCallError} */
export function setXattr(path: PathBytes, name: string, value: Uint8Array): void {
  checked(Number(setCall(pathBytes(path), name, value, value.length, 0)), 'lsetxattr', `${name} of ${pathText(path)}`);
}

/** Removes an extended attribute; links are not followed. @throws {SystemCallError} ENODATA when there is none. */
export function removeXattr(path: PathBytes, name: string): void {
  checked(Number(removeCall(pathBytes(path), name)), 'lremovexattr', `${name} of ${pathText(path)}`);
}
