import { Cgroup, readCgroupLayout } from './cgroup.ts';

/** Returns the host's pids of all processes in a container; empty when it has none. */
export function processesIn(cgroupsPath: string): readonly number[] {
  return new Cgroup(readCgroupLayout(), cgroupsPath).pids();
}
