import { libc } from './libc.ts';

const fcntlCall = libc.func('int fcntl(int fd, int command, int64_t argument)');
const setPipeSize = 1031;

/**
 * Asks for a larger pipe, so that both ends work side by side instead of in turns. Without effect beyond the system's limit
 * (1 MiB unless changed): a pipe works with any capacity.
 */
export function requestPipeCapacity(descriptor: number, bytes: number): void {
  fcntlCall(descriptor, setPipeSize, bytes);
}
