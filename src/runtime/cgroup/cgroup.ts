import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { EngineError, isErrorCode } from '../../base/errors.ts';

/** How cgroups are laid out on this machine (cgroups(7)). */
export interface CgroupLayout {
  /** 1 also for hybrid machines, where the limits are v1's. */
  readonly version: 1 | 2;
  /** v1: where each controller's hierarchy is mounted, `name=systemd` and so on included. */
  readonly hierarchies: ReadonlyMap<string, string>;
  /** Where the v2 hierarchy is mounted, on hybrid machines too. */
  readonly unified?: string;
}

/** Reads the layout from /proc/self/mountinfo. @throws {EngineError} failedPrecondition when no cgroups are mounted */
export function readCgroupLayout(): CgroupLayout {
  return parseCgroupLayout(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** As {@link readCgroupLayout}, from the text of mountinfo. */
export function parseCgroupLayout(mountinfo: string): CgroupLayout {
  const hierarchies = new Map<string, string>();
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const mountPoint = left.split(' ')[4];
    const [type, , options = ''] = right.split(' ');
    if (mountPoint === undefined) continue;
    if (type === 'cgroup2') unified ??= mountPoint;
    if (type !== 'cgroup') continue;
    for (const option of options.split(',')) {
      if (option !== 'rw' && option !== 'ro' && !hierarchies.has(option)) hierarchies.set(option, mountPoint);
    }
  }
  if (hierarchies.size === 0 && unified === undefined) {
    throw new EngineError('failedPrecondition', 'no cgroup hierarchy is mounted on this machine');
  }
  return {
    version: hierarchies.has('memory') || unified === undefined ? 1 : 2,
    hierarchies,
    ...(unified === undefined ? {} : { unified }),
  };
}

/** The cgroup of one container, in all hierarchies. */
export class Cgroup {
  readonly #layout: CgroupLayout;
  readonly #path: string;

  /** `cgroupsPath` as in the bundle's `linux.cgroupsPath`. @throws {EngineError} invalidArgument for a path with `..` */
  constructor(layout: CgroupLayout, cgroupsPath: string) {
    if (cgroupsPath.split('/').includes('..') || cgroupsPath.replaceAll('/', '') === '') {
      throw new EngineError('invalidArgument', `cgroup path ${JSON.stringify(cgroupsPath)} is not below the root`);
    }
    this.#layout = layout;
    this.#path = cgroupsPath;
  }

  get version(): 1 | 2 {
    return this.#layout.version;
  }

  /** Returns the directory that has a controller's files. */
  directory(controller: string): string {
    const root = this.#layout.version === 2 ? this.#layout.unified : this.#layout.hierarchies.get(controller);
    return path.join(root ?? '/sys/fs/cgroup', this.#path);
  }

  /** Reads a controller's file; `undefined` when it is not there. */
  read(controller: string, file: string): string | undefined {
    try {
      return readFileSync(path.join(this.directory(controller), file), 'utf8');
    } catch (error) {
      // ENODEV: the cgroup went while its file was open.
      if (isErrorCode(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  /** How often the kernel killed something in this cgroup because its memory was at the limit. */
  oomKills(): number {
    const text = this.version === 2 ? this.read('memory', 'memory.events') : this.read('memory', 'memory.oom_control');
    return flatValue(text, 'oom_kill') ?? 0;
  }

  /** Returns the pids inside, as this process's pid namespace sees them, of nested cgroups too. */
  pids(): readonly number[] {
    // Every v1 hierarchy has the same processes; pids is the cheapest to ask.
    const controller =
      ['pids', 'memory', 'freezer', 'cpu'].find((name) => this.#layout.hierarchies.has(name)) ?? 'pids';
    return pidsBelow(this.directory(controller));
  }

  /** Kills everything inside. */
  kill(): void {
    if (this.version === 2) {
      try {
        writeFileSync(path.join(this.directory('core'), 'cgroup.kill'), '1');
        return;
      } catch (error) {
        if (isErrorCode(error, 'ENOENT') && this.read('core', 'cgroup.procs') === undefined) return;
        // Before Linux 5.14 there is no cgroup.kill.
        if (!isErrorCode(error, 'ENOENT', 'EOPNOTSUPP', 'EINVAL', 'EACCES', 'EPERM')) throw error;
      }
    }
    for (const pid of this.pids()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (!isErrorCode(error, 'ESRCH')) throw error;
      }
    }
    // What is frozen does not die before it thaws.
    if (this.isFrozen()) {
      const [file, thawed] = this.version === 2 ? ['cgroup.freeze', '0'] : ['freezer.state', 'THAWED'];
      writeFileSync(path.join(this.directory('freezer'), file), thawed);
    }
  }

  /** Stops or continues everything inside. Settles when it is so. @throws {EngineError} unavailable when it does not happen */
  async freeze(frozen: boolean): Promise<void> {
    const { version } = this;
    const file = path.join(this.directory('freezer'), version === 2 ? 'cgroup.freeze' : 'freezer.state');
    const wanted = version === 2 ? (frozen ? '1' : '0') : frozen ? 'FROZEN' : 'THAWED';
    for (let attempt = 0; attempt < 1000; attempt++) {
      // On v1 a process that forks meanwhile can need a second write.
      if (attempt % 50 === 0) writeFileSync(file, wanted);
      if (this.isFrozen() === frozen) return;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new EngineError('unavailable', `cgroup ${this.#path} did not ${frozen ? 'freeze' : 'thaw'} in time`);
  }

  isFrozen(): boolean {
    if (this.version === 2) return flatValue(this.read('freezer', 'cgroup.events'), 'frozen') === 1;
    return this.read('freezer', 'freezer.state')?.trim() === 'FROZEN';
  }

  /** Removes the empty cgroup from all hierarchies; `false` while something is still inside. Idempotent. */
  remove(): boolean {
    const roots = new Set(this.#layout.hierarchies.values());
    if (this.#layout.unified !== undefined) roots.add(this.#layout.unified);
    let gone = true;
    for (const root of roots) if (!removeTree(path.join(root, this.#path))) gone = false;
    return gone;
  }
}

/** Returns the number behind a name in a file of `name value` lines. */
export function flatValue(text: string | undefined, name: string): number | undefined {
  for (const line of text?.split('\n') ?? []) {
    if (line.startsWith(`${name} `)) return Number(line.slice(name.length + 1));
  }
  return undefined;
}

function pidsBelow(directory: string): readonly number[] {
  try {
    const own = readFileSync(path.join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    const nested = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...own, ...nested.flatMap((entry) => pidsBelow(path.join(directory, entry.name)))];
  } catch (error) {
    if (isErrorCode(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

function removeTree(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return true;
    if (!isErrorCode(error, 'EBUSY', 'ENOTEMPTY')) throw error;
  }
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) removeTree(path.join(directory, entry.name));
    }
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return true;
    if (isErrorCode(error, 'EBUSY', 'ENOTEMPTY')) return false;
    throw error;
  }
}
