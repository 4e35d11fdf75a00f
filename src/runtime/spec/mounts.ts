import { EngineError } from '../../base/errors.ts';
import path from 'node:path';
import type { SpecInput, SpecMount } from './input.ts';
import type { RuntimeMount } from './runtime-spec.ts';

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;
const INIT_TARGET = '/sbin/docker-init';

/** Returns the mounts: Docker's defaults, then the container's own, parents before children. */
export function createMounts(input: SpecInput): readonly RuntimeMount[] {
  const own = [...(input.mounts ?? []).map(ownMount), ...initMount(input)];
  const targets = new Set(own.map((mount) => mount.destination));
  const defaults = defaultMounts(input).filter((mount) => !targets.has(mount.destination));
  return [...defaults, ...own.toSorted((left, right) => depth(left.destination) - depth(right.destination))];
}

/** Returns the arguments with the init program in front, where there is one. */
export function argumentsWithInit(input: SpecInput): readonly string[] {
  return input.init === undefined ? input.process.args : [INIT_TARGET, '--', ...input.process.args];
}

function defaultMounts(input: SpecInput): readonly RuntimeMount[] {
  const access = input.privileged === true ? 'rw' : 'ro';
  const ipc = input.namespaces.ipc?.kind ?? 'private';
  return [
    mount('/proc', 'proc', 'proc', 'nosuid noexec nodev'),
    mount('/dev', 'tmpfs', 'tmpfs', 'nosuid strictatime mode=755 size=65536k'),
    mount('/dev/pts', 'devpts', 'devpts', 'nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5'),
    mount('/sys', 'sysfs', 'sysfs', `nosuid noexec nodev ${access}`),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', `${access} nosuid noexec nodev`),
    ...(ipc === 'host'
      ? [mount('/dev/mqueue', 'bind', '/dev/mqueue', 'rbind nosuid noexec nodev')]
      : [mount('/dev/mqueue', 'mqueue', 'mqueue', 'nosuid noexec nodev')]),
    ...shmMount(input, ipc),
  ];
}

function shmMount(input: SpecInput, ipc: string): readonly RuntimeMount[] {
  if (ipc === 'none') return [];
  if (ipc === 'host') return [mount('/dev/shm', 'bind', '/dev/shm', 'rbind nosuid noexec nodev')];
  const size = input.shmSizeBytes ?? DEFAULT_SHM_BYTES;
  return [mount('/dev/shm', 'tmpfs', 'shm', `nosuid noexec nodev mode=1777 size=${size}`)];
}

function initMount(input: SpecInput): readonly RuntimeMount[] {
  return input.init === undefined ? [] : [mount(INIT_TARGET, 'bind', input.init, 'bind ro')];
}

function ownMount(own: SpecMount): RuntimeMount {
  if (!path.isAbsolute(own.target))
    throw new EngineError('invalidArgument', `mount path must be absolute: ${own.target}`);
  const target = path.normalize(own.target).replace(/(.)\/$/, '$1');
  if (target === '/') throw new EngineError('invalidArgument', `invalid mount target: destination can't be '/'`);
  if (own.type === 'tmpfs') {
    return { destination: target, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(own.options ?? []) };
  }
  const options = [
    own.recursive === false ? 'bind' : 'rbind',
    own.readOnly === true ? 'ro' : 'rw',
    own.propagation ?? 'rprivate',
  ];
  return { destination: target, type: 'bind', source: own.source, options };
}

function tmpfsOptions(given: readonly string[]): readonly string[] {
  const opposite = (name: string): string => (name.startsWith('no') ? name.slice(2) : `no${name}`);
  const defaults = ['noexec', 'nosuid', 'nodev'].filter(
    (name) => !given.includes(opposite(name)) && !given.includes(name),
  );
  return [...defaults, ...given];
}

function mount(destination: string, type: string, source: string, options: string): RuntimeMount {
  return { destination, type, source, options: options.split(' ') };
}

function depth(target: string): number {
  return target.split('/').length;
}
