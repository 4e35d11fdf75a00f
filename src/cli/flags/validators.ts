/** What is wrong with values of single flags, in the words of docker's client; `undefined` where nothing is. */
import { isIP } from 'node:net';

/** `NAME=value` or `NAME`. */
export function checkEnv(value: string): string | undefined {
  return value === '' || value.startsWith('=') ? `invalid environment variable: ${value}` : undefined;
}

/** `name=value` or `name`. */
export function checkLabel(value: string): string | undefined {
  return value.startsWith('=') ? `invalid label '${value}': empty name` : undefined;
}

/** One of the standard streams. */
export function checkAttach(value: string): string | undefined {
  return /^(stdin|stdout|stderr)$/i.test(value) ? undefined : 'valid streams are STDIN, STDOUT and STDERR';
}

/** `host:address`, where the address may be `host-gateway`. */
export function checkAddHost(value: string): string | undefined {
  const match = /^(?<host>[^:=]+)[:=](?<address>.+)$/.exec(value);
  const address = match?.groups?.['address'];
  if (address === undefined) return `bad format for add-host: ${JSON.stringify(value)}`;
  const bare = address.replace(/^\[(.*)\]$/, '$1');
  return bare === 'host-gateway' || isIP(bare) !== 0
    ? undefined
    : `invalid IP address in add-host: ${JSON.stringify(address)}`;
}

/** An address. */
export function checkAddress(value: string): string | undefined {
  return isIP(value.trim()) === 0 ? `IP address is not correctly formatted: ${value}` : undefined;
}

/** A domain to search in; `.` for none. */
export function checkDnsSearch(value: string): string | undefined {
  const isDomain = value.length <= 255 && /^(([\p{L}\p{N}]([\p{L}\p{N}-]*[\p{L}\p{N}])?)\.?)+$/u.test(value);
  return value.trim() === '.' || isDomain ? undefined : `${value} is not a valid domain`;
}

/** `container:alias`. */
export function checkLink(value: string): string | undefined {
  if (value === '') return 'empty string specified for links';
  return value.split(':').length > 2 ? `bad format for links: ${value}` : undefined;
}

/** `type=soft[:hard]`. */
export function checkUlimit(value: string): string | undefined {
  const [name, limits, ...more] = value.split('=');
  if (limits === undefined || more.length > 0) return `invalid ulimit argument: ${value}`;
  if (!ulimitNames.has(name ?? '')) return `invalid ulimit type: ${name}`;
  const parts = limits.split(':');
  if (parts.length > 2) return `too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``;
  for (const part of parts) {
    if (!/^[+-]?\d+$/.test(part)) return `strconv.ParseInt: parsing ${JSON.stringify(part)}: invalid syntax`;
  }
  const [soft, hard] = parts.map(Number);
  const exceeds = hard !== undefined && hard !== -1 && ((soft ?? 0) > hard || soft === -1);
  return exceeds ? `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}` : undefined;
}

const ulimitNames = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
);

const sysctlNames = new Set(
  'kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced'.split(
    ' ',
  ),
);

/** `name=value` with a name that belongs to a namespace. */
export function checkSysctl(value: string): string | undefined {
  const equals = value.indexOf('=');
  const name = value.slice(0, Math.max(equals, 0));
  const known = sysctlNames.has(name) || name.startsWith('net.') || name.startsWith('fs.mqueue.');
  return equals >= 0 && known ? undefined : `sysctl '${value}' is not allowed`;
}

/** `device:weight`. */
export function checkWeightDevice(value: string): string | undefined {
  const [device = '', weight, ...more] = value.split(':');
  if (weight === undefined || more.length > 0) return `bad format: ${value}`;
  if (!device.startsWith('/dev/')) return `bad format for device path: ${value}`;
  const number = /^\d+$/.test(weight) ? Number(weight) : 0;
  return number === 0 || number < 10 || number > 1000 ? `invalid weight for device: ${value}` : undefined;
}

/** `device:rate`. */
export function checkThrottleDevice(value: string): string | undefined {
  const [device = '', rate, ...more] = value.split(':');
  if (rate === undefined || more.length > 0) return `bad format: ${value}`;
  if (!device.startsWith('/dev/')) return `bad format for device path: ${value}`;
  return /^\d/.test(rate)
    ? undefined
    : `invalid rate for device: ${value}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`;
}

/** `type=bind,source=…,target=…`: see `options/mounts.ts` for its meaning. */
export function checkDeviceCgroupRule(value: string): string | undefined {
  return /^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(value)
    ? undefined
    : `invalid device cgroup format '${value}'`;
}
