import { flatValue } from './cgroup.ts';
import type { Cgroup } from './cgroup.ts';

/** What a container uses, in the kernel's numbers; times in nanoseconds, sizes in bytes. */
export interface ContainerStatistics {
  readonly cgroupVersion: 1 | 2;
  readonly cpu: {
    readonly totalNs: number;
    readonly userNs: number;
    readonly systemNs: number;
    /** v1 only. */
    readonly perCpuNs: readonly number[];
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    readonly usageBytes: number;
    /** v1 only. */
    readonly maxUsageBytes?: number;
    /** v1 only. */
    readonly failures?: number;
    /** Absent without a limit. */
    readonly limitBytes?: number;
    /** memory.stat as it is. */
    readonly details: Readonly<Record<string, number>>;
  };
  readonly pids: { readonly current: number; /** Absent without a limit. */ readonly limit?: number };
  readonly blockBytes: readonly BlockFigure[];
  readonly blockOperations: readonly BlockFigure[];
}

/** Of one block device; `operation` is `read`, `write` and, on v1, more. */
export interface BlockFigure {
  readonly major: number;
  readonly minor: number;
  readonly operation: string;
  readonly value: number;
}

/** v1 writes a limit near 2⁶³ for none. */
const UNLIMITED_V1 = 2 ** 62;

/** Reads a container's figures. What the kernel does not count here is 0 or absent. */
export function readStatistics(cgroup: Cgroup): ContainerStatistics {
  return cgroup.version === 2 ? readVersion2(cgroup) : readVersion1(cgroup);
}

function readVersion2(cgroup: Cgroup): ContainerStatistics {
  const cpu = parseFlat(cgroup.read('cpu', 'cpu.stat'));
  const limit = numberOf(cgroup.read('memory', 'memory.max'));
  const pidsLimit = numberOf(cgroup.read('pids', 'pids.max'));
  const io = parseIoStat(cgroup.read('io', 'io.stat') ?? '');
  return {
    cgroupVersion: 2,
    cpu: {
      totalNs: (cpu['usage_usec'] ?? 0) * 1000,
      userNs: (cpu['user_usec'] ?? 0) * 1000,
      systemNs: (cpu['system_usec'] ?? 0) * 1000,
      perCpuNs: [],
      periods: cpu['nr_periods'] ?? 0,
      throttledPeriods: cpu['nr_throttled'] ?? 0,
      throttledNs: (cpu['throttled_usec'] ?? 0) * 1000,
    },
    memory: {
      usageBytes: numberOf(cgroup.read('memory', 'memory.current')) ?? 0,
      ...(limit === undefined ? {} : { limitBytes: limit }),
      details: parseFlat(cgroup.read('memory', 'memory.stat')),
    },
    pids: {
      current: numberOf(cgroup.read('pids', 'pids.current')) ?? 0,
      ...(pidsLimit === undefined ? {} : { limit: pidsLimit }),
    },
    ...io,
  };
}

function readVersion1(cgroup: Cgroup): ContainerStatistics {
  const ticks = cgroup.read('cpuacct', 'cpuacct.stat');
  const throttling = cgroup.read('cpu', 'cpu.stat');
  const limit = numberOf(cgroup.read('memory', 'memory.limit_in_bytes'));
  const pidsLimit = numberOf(cgroup.read('pids', 'pids.max'));
  return {
    cgroupVersion: 1,
    cpu: {
      totalNs: numberOf(cgroup.read('cpuacct', 'cpuacct.usage')) ?? 0,
      userNs: (flatValue(ticks, 'user') ?? 0) * NS_PER_TICK,
      systemNs: (flatValue(ticks, 'system') ?? 0) * NS_PER_TICK,
      perCpuNs: (cgroup.read('cpuacct', 'cpuacct.usage_percpu') ?? '').split(' ').map(Number).filter(Boolean),
      periods: flatValue(throttling, 'nr_periods') ?? 0,
      throttledPeriods: flatValue(throttling, 'nr_throttled') ?? 0,
      throttledNs: flatValue(throttling, 'throttled_time') ?? 0,
    },
    memory: {
      usageBytes: numberOf(cgroup.read('memory', 'memory.usage_in_bytes')) ?? 0,
      maxUsageBytes: numberOf(cgroup.read('memory', 'memory.max_usage_in_bytes')) ?? 0,
      failures: numberOf(cgroup.read('memory', 'memory.failcnt')) ?? 0,
      ...(limit === undefined || limit >= UNLIMITED_V1 ? {} : { limitBytes: limit }),
      details: parseFlat(cgroup.read('memory', 'memory.stat')),
    },
    pids: {
      current: numberOf(cgroup.read('pids', 'pids.current')) ?? 0,
      ...(pidsLimit === undefined ? {} : { limit: pidsLimit }),
    },
    blockBytes: parseThrottle(cgroup.read('blkio', 'blkio.throttle.io_service_bytes_recursive') ?? ''),
    blockOperations: parseThrottle(cgroup.read('blkio', 'blkio.throttle.io_serviced_recursive') ?? ''),
  };
}

/** USER_HZ is 100 on all of Linux's 64-bit architectures. */
const NS_PER_TICK = 10_000_000;

function parseFlat(text: string | undefined): Readonly<Record<string, number>> {
  const entries = (text ?? '').split('\n').map((line) => line.split(' '));
  return Object.fromEntries(
    entries.flatMap(([name, value]) => (name && value !== undefined ? [[name, Number(value)]] : [])),
  );
}

/** `MAJOR:MINOR rbytes=1 wbytes=2 rios=3 wios=4 …` a line. */
function parseIoStat(text: string): Pick<ContainerStatistics, 'blockBytes' | 'blockOperations'> {
  const blockBytes: BlockFigure[] = [];
  const blockOperations: BlockFigure[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+):(\d+) (.*)$/.exec(line);
    if (!match) continue;
    const device = { major: Number(match[1]), minor: Number(match[2]) };
    const values = new Map((match[3] ?? '').split(' ').map((pair) => pair.split('=') as [string, string]));
    const figure = (operation: string, name: string): BlockFigure => ({
      ...device,
      operation,
      value: Number(values.get(name) ?? 0),
    });
    blockBytes.push(figure('read', 'rbytes'), figure('write', 'wbytes'));
    blockOperations.push(figure('read', 'rios'), figure('write', 'wios'));
  }
  return { blockBytes, blockOperations };
}

/** `MAJOR:MINOR Read 1` a line, and a total without a device. */
function parseThrottle(text: string): readonly BlockFigure[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (!match) return [];
    const [, major, minor, operation = '', value] = match;
    return [{ major: Number(major), minor: Number(minor), operation: operation.toLowerCase(), value: Number(value) }];
  });
}

/** `max` and missing files are `undefined`. */
function numberOf(text: string | undefined): number | undefined {
  const trimmed = text?.trim();
  return trimmed === undefined || trimmed === '' || trimmed === 'max' ? undefined : Number(trimmed);
}
