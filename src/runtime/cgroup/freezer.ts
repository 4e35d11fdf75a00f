import { Cgroup, readCgroupLayout } from './cgroup.ts';

/** Stops or continues all processes of a container. Settles when it is so. @throws {EngineError} unavailable in vain */
export async function freezeContainer(cgroupsPath: string, frozen: boolean): Promise<void> {
  await new Cgroup(readCgroupLayout(), cgroupsPath).freeze(frozen);
}
