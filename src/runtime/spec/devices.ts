import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { EngineError, isErrorCode } from '../../base/errors.ts';
import type { SpecDevice, SpecInput } from './input.ts';
import type { RuntimeDevice, RuntimeDeviceRule } from './runtime-spec.ts';

/** Returns the device nodes in addition to the runtime's own (null, zero, full, random, urandom, tty, ptmx). */
export function createDevices(input: SpecInput): readonly RuntimeDevice[] {
  return (input.devices ?? []).map(({ access: _access, ...node }) => node);
}

/** Returns who may do what with devices: nobody anything, but Docker's defaults and what the container was given. */
export function createDeviceRules(input: SpecInput): readonly RuntimeDeviceRule[] {
  if (input.privileged === true) return [{ allow: true, access: 'rwm' }];
  return [
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'b', access: 'm' },
    ...defaultNumbers.map(([major, minor]) => character(major, minor)),
    { allow: true, type: 'c', major: 136, access: 'rwm' },
    ...(input.devices ?? []).map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access })),
    ...(input.deviceCgroupRules ?? []).map(parseDeviceRule),
  ];
}

/** null, zero, full, random, urandom, tty, console, ptmx. */
const defaultNumbers = [
  [1, 3],
  [1, 5],
  [1, 7],
  [1, 8],
  [1, 9],
  [5, 0],
  [5, 1],
  [5, 2],
] as const;

function character(major: number, minor: number): RuntimeDeviceRule {
  return { allow: true, type: 'c', major, minor, access: 'rwm' };
}

/**
 * Parses `c 10:200 rwm`, where a number may be `*`.
 *
 * @throws {EngineError} invalidArgument
 */
export function parseDeviceRule(text: string): RuntimeDeviceRule {
  const match = /^([acb]) ([0-9]{1,10}|\*):([0-9]{1,10}|\*) ([rwm]{1,3})$/.exec(text);
  if (!match) throw new EngineError('invalidArgument', `invalid device cgroup rule format: '${text}'`);
  const [, type, major, minor, access = ''] = match;
  return {
    allow: true,
    type: type as 'a' | 'c' | 'b',
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}

/**
 * Reads a device of the host for {@link SpecInput}`.devices`; a directory gives all devices in it.
 *
 * @throws {EngineError} invalidArgument when there is no such device.
 */
export async function describeDevice(hostPath: string, containerPath: string, access = 'rwm'): Promise<SpecDevice[]> {
  if (!/^[rwm]{1,3}$/.test(access)) throw new EngineError('invalidArgument', `invalid device mode: ${access}`);
  const status = await stat(hostPath).catch((error: unknown) => {
    throw new EngineError(
      'invalidArgument',
      `error gathering device information while adding custom device "${hostPath}": no such file or directory`,
      { cause: error },
    );
  });
  if (status.isDirectory()) return await walkDevices(hostPath, containerPath, access);
  if (!status.isCharacterDevice() && !status.isBlockDevice()) {
    throw new EngineError(
      'invalidArgument',
      `error gathering device information while adding custom device "${hostPath}": not a device node`,
    );
  }
  return [deviceOf(status, containerPath, access)];
}

/** Returns all devices of the host, for privileged containers; terminals, /dev/shm and the like are left out. */
export async function listHostDevices(): Promise<SpecDevice[]> {
  return await walkDevices('/dev', '/dev', 'rwm');
}

const skippedDirectories = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev']);

async function walkDevices(hostPath: string, containerPath: string, access: string): Promise<SpecDevice[]> {
  const found: SpecDevice[] = [];
  for (const entry of await readdir(hostPath, { withFileTypes: true })) {
    const from = path.join(hostPath, entry.name);
    const to = path.join(containerPath, entry.name);
    if (entry.isDirectory()) {
      if (!skippedDirectories.has(entry.name)) found.push(...(await walkDevices(from, to, access)));
    } else if ((entry.isCharacterDevice() || entry.isBlockDevice()) && entry.name !== 'console') {
      try {
        found.push(deviceOf(await lstat(from), to, access));
      } catch (error) {
        // Devices come and go; one that went is not listed.
        if (!isErrorCode(error, 'ENOENT')) throw error;
      }
    }
  }
  return found;
}

function deviceOf(
  status: { rdev: number; mode: number; uid: number; gid: number; isBlockDevice(): boolean },
  containerPath: string,
  access: string,
): SpecDevice {
  const { major, minor } = deviceNumbers(status.rdev);
  return {
    path: containerPath,
    type: status.isBlockDevice() ? 'b' : 'c',
    major,
    minor,
    fileMode: status.mode & 0o7777,
    uid: status.uid,
    gid: status.gid,
    access,
  };
}

/** Splits the kernel's device number as glibc's gnu_dev_major and gnu_dev_minor do. */
export function deviceNumbers(device: number): { readonly major: number; readonly minor: number } {
  const bits = BigInt(device);
  const major = ((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n);
  const minor = (bits & 0xffn) | ((bits >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}
