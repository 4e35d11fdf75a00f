import { checked, libc } from './libc.ts';

const unshareCall = libc.func('int unshare(int flags)');
const setnsCall = libc.func('int setns(int fd, int kind)');

const CLONE_FS = 0x200;

const cloneFlags = {
  mount: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  network: 0x40000000,
} as const;

/** A kind of namespace that a thread of a running process can change. */
export type NamespaceKind = keyof typeof cloneFlags;

/** Gives the calling thread a namespace of its own; children of this thread inherit it, other threads keep theirs. */
export function unshareNamespace(kind: NamespaceKind): void {
  checked(unshareCall(cloneFlags[kind] | (kind === 'mount' ? CLONE_FS : 0)), 'unshare', kind);
}

/** Moves the calling thread into the namespace of an open /proc/PID/ns file. For `mount`, `unshareNamespace` came first. */
export function enterNamespace(fd: number, kind: NamespaceKind): void {
  checked(setnsCall(fd, cloneFlags[kind]), 'setns', kind);
}
