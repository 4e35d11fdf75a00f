import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { EngineError } from '../base/errors.ts';
import type { HostConfig } from '../formats/engine-api/host-config.ts';

const minimumMemoryBytes = 6 << 20;
const onlineFile = '/sys/devices/system/cpu/online';

/** Refuses limits that contradict each other, this machine or the kernel. @throws {EngineError} invalidArgument in docker's words */
export function checkLimits(hostConfig: HostConfig): void {
  checkMemory(hostConfig);
  checkProcessors(hostConfig);
  if (Math.abs(hostConfig.OomScoreAdj) > 1000) {
    refuse(`Invalid value ${hostConfig.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  if (hostConfig.ShmSize < 0) refuse('SHM size can not be less than 0');
}

function refuse(message: string): never {
  throw new EngineError('invalidArgument', message);
}

function checkMemory({ Memory, MemorySwap, MemorySwappiness }: HostConfig): void {
  if (Memory !== 0 && Memory < minimumMemoryBytes) refuse('Minimum memory limit allowed is 6MB');
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory)
    refuse('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (Memory === 0 && MemorySwap > 0)
    refuse('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (MemorySwappiness !== null && (MemorySwappiness < -1 || MemorySwappiness > 100))
    refuse(`Invalid value: ${MemorySwappiness}, valid memory swappiness range is 0-100`);
}

function checkProcessors({ NanoCpus, CpuPeriod, CpuQuota, CpusetCpus }: HostConfig): void {
  if (NanoCpus > 0 && CpuPeriod > 0) refuse('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (NanoCpus > 0 && CpuQuota > 0) refuse('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  const count = cpus().length;
  if (NanoCpus < 0 || NanoCpus > count * 1e9) {
    refuse(`range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`);
  }
  if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000))
    refuse('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (CpuQuota > 0 && CpuQuota < 1000) refuse('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if (CpusetCpus === '') return;
  const wanted = processorSet(CpusetCpus);
  if (!wanted) return refuse(`Invalid value ${CpusetCpus} for cpuset cpus: invalid format: ${CpusetCpus}`);
  const online = readFileSync(onlineFile, 'latin1').trim();
  const available = processorSet(online);
  if (available && wanted.some((cpu) => !available.includes(cpu)))
    refuse(`Requested CPUs are not available - requested ${CpusetCpus}, available: ${online}`);
}

const highestProcessor = 8191;

/** Reads `0-2,5`; undefined when it is malformed. */
function processorSet(text: string): readonly number[] | undefined {
  const numbers: number[] = [];
  for (const part of text.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? first);
    if (!match || last < first || last > highestProcessor) return undefined;
    for (let number = first; number <= last; number++) numbers.push(number);
  }
  return numbers;
}
