import { createDeviceRules } from './devices.ts';
import type { DeviceRate, ResourcesInput, SpecInput } from './input.ts';
import type { RuntimeResources } from './runtime-spec.ts';

/** Returns `linux.resources`; limits that were not given are not written. */
export function createResources(input: SpecInput): RuntimeResources {
  return { devices: createDeviceRules(input), ...createLimits(input.resources ?? {}) };
}

/** Returns the limits alone, as `crun update` and `runc update` take them too. */
export function createLimits(given: ResourcesInput): Omit<RuntimeResources, 'devices'> {
  const memory = defined({
    limit: given.memoryBytes,
    swap: given.memorySwapBytes,
    reservation: given.memoryReservationBytes,
    swappiness: given.memorySwappiness,
    disableOOMKiller: given.oomKillDisable === true ? true : undefined,
  });
  const cpu = defined({
    shares: given.cpuShares,
    quota: given.cpuQuotaMicroseconds,
    period: given.cpuPeriodMicroseconds,
    realtimeRuntime: given.cpuRealtimeRuntimeMicroseconds,
    realtimePeriod: given.cpuRealtimePeriodMicroseconds,
    cpus: given.cpusetCpus,
    mems: given.cpusetMems,
  });
  const blockIO = defined({
    weight: given.blkioWeight,
    weightDevice: given.blkioWeightDevices?.map(({ major, minor, value }) => ({ major, minor, weight: value })),
    throttleReadBpsDevice: rates(given.blkioReadBytesPerSecond),
    throttleWriteBpsDevice: rates(given.blkioWriteBytesPerSecond),
    throttleReadIOPSDevice: rates(given.blkioReadOperationsPerSecond),
    throttleWriteIOPSDevice: rates(given.blkioWriteOperationsPerSecond),
  });
  return {
    ...(memory ? { memory } : {}),
    ...(cpu ? { cpu } : {}),
    ...(blockIO ? { blockIO } : {}),
    ...(given.pidsLimit === undefined || given.pidsLimit === 0 ? {} : { pids: { limit: given.pidsLimit } }),
  };
}

function rates(devices: readonly DeviceRate[] | undefined): readonly object[] | undefined {
  return devices?.map(({ major, minor, value }) => ({ major, minor, rate: value }));
}

/** Returns the entries that have a value, or `undefined` when none has. */
function defined<T>(values: Readonly<Record<string, T | undefined>>): Record<string, T> | undefined {
  const entries: [string, T][] = [];
  for (const [name, value] of Object.entries(values)) if (value !== undefined) entries.push([name, value]);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
