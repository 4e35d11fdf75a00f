import type { SpecInput } from './input.ts';

const masked: readonly string[] = [
  ...'acpi asound interrupts kcore keys latency_stats sched_debug scsi timer_list timer_stats'
    .split(' ')
    .map((name) => `/proc/${name}`),
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

const readOnly: readonly string[] = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`);

/** Returns what reads as empty inside: Docker's list, or the container's own; none for a privileged one. */
export function createMaskedPaths(input: SpecInput): readonly string[] {
  if (input.maskedPaths) return input.maskedPaths;
  if (input.privileged === true) return [];
  const thermal = Array.from(
    { length: input.cpuCount ?? 0 },
    (_, cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`,
  );
  return [...masked, ...thermal];
}

/** Returns what cannot be written inside: Docker's list, or the container's own; none for a privileged one. */
export function createReadonlyPaths(input: SpecInput): readonly string[] {
  if (input.readonlyPaths) return input.readonlyPaths;
  return input.privileged === true ? [] : readOnly;
}
