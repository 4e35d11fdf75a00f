import { lastErrno, libc, SystemCallError } from './libc.ts';

/** Flags of mount(2). */
export const mountFlags = {
  readOnly: 1,
  noSuid: 2,
  noDevices: 4,
  noExecute: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
  unbindable: 0x20000,
  private: 0x40000,
  slave: 0x80000,
  shared: 0x100000,
} as const;

/** Flags of umount2(2). */
export const unmountFlags = { force: 1, detach: 2, noFollow: 8 } as const;

/** What mount(2) takes. */
export interface MountRequest {
  readonly source?: string;
  readonly target: string;
  readonly type?: string;
  readonly flags?: number;
  readonly options?: string;
}

/** What {@link mountOverlay} takes. Paths may hold any character. */
export interface OverlayRequest {
  /** Bottom first. */
  readonly lowers: readonly string[];
  readonly upper?: string;
  readonly work?: string;
  readonly target: string;
  /** Further options, `name` or `name=value`. */
  readonly options: readonly string[];
}

// mount(2) copies one page of options; a longer string would be cut without a word.
const optionBytesLimit = 4095;

const mountCall = libc.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options)',
);
const unmountCall = libc.func('int umount2(const char *target, int flags)');
// The mount API has no wrappers in older C libraries. Its numbers are the same on every architecture.
const fsopenCall = libc.func('syscall', 'long', ['long', 'const char *', 'unsigned int']);
const fsconfigCall = libc.func('syscall', 'long', [
  'long',
  'int',
  'unsigned int',
  'const char *',
  'const char *',
  'int',
]);
const fsmountCall = libc.func('syscall', 'long', ['long', 'int', 'unsigned int', 'unsigned int']);
const moveMountCall = libc.func('syscall', 'long', [
  'long',
  'int',
  'const char *',
  'int',
  'const char *',
  'unsigned int',
]);
const closeCall = libc.func('int close(int descriptor)');

const systemCalls = { moveMount: 429, fsopen: 430, fsconfig: 431, fsmount: 432 } as const;
const configure = { setFlag: 0, setString: 1, create: 6 } as const;
const atFdcwd = -100;

/**
 * Mounts without blocking the event loop.
 *
 * @throws {SystemCallError}
 */
export async function mount(request: MountRequest): Promise<void> {
  await call(
    mountCall,
    'mount',
    request.target,
    request.source ?? null,
    request.target,
    request.type ?? null,
    request.flags ?? 0,
    request.options ?? null,
  );
}

/** {@link mount} on the calling thread. */
export function mountSync(request: MountRequest): void {
  const result = Number(
    mountCall(
      request.source ?? null,
      request.target,
      request.type ?? null,
      request.flags ?? 0,
      request.options ?? null,
    ),
  );
  if (result < 0) throw new SystemCallError('mount', lastErrno(), request.target);
}

/**
 * Unmounts without blocking the event loop: unmounting writes back and drops caches, which may take 100 ms and more.
 *
 * @throws {SystemCallError} EINVAL when nothing is mounted there, EBUSY when it is in use.
 */
export async function unmount(target: string, flags = 0): Promise<void> {
  await call(unmountCall, 'umount2', target, target, flags);
}

/** {@link unmount} on the calling thread. */
export function unmountSync(target: string, flags = 0): void {
  if (Number(unmountCall(target, flags)) < 0) throw new SystemCallError('umount2', lastErrno(), target);
}

/**
 * Mounts an EROFS file read-only, backed by the file itself and not by a loop device. `devices` are the files of its device
 * table, in order.
 *
 * @throws {SystemCallError} ENOTBLK where the kernel or the file system under the file cannot do that.
 */
export async function mountErofs(file: string, target: string, devices: readonly string[] = []): Promise<void> {
  if (devices.some((device) => /[,\\]/.test(device))) {
    await configureMount(
      'erofs',
      target,
      [['source', file], ...devices.map((device) => ['device', device] as const)],
      true,
    );
    return;
  }
  const options = devices.map((device) => `device=${device}`).join(',');
  if (Buffer.byteLength(options) > optionBytesLimit) {
    await configureMount(
      'erofs',
      target,
      [['source', file], ...devices.map((device) => ['device', device] as const)],
      true,
    );
    return;
  }
  await mount({
    source: file,
    target,
    type: 'erofs',
    flags: mountFlags.readOnly,
    ...(options === '' ? {} : { options }),
  });
}

/**
 * Mounts an overlay. Uses mount(2) while the options fit its one page, else the newer calls that take each lower by itself
 * (Linux 6.5 and later).
 *
 * @throws {SystemCallError}
 */
export async function mountOverlay(request: OverlayRequest): Promise<void> {
  const topFirst = request.lowers.toReversed();
  const options = [
    ...request.options,
    `lowerdir=${topFirst.map(escapeLower).join(':')}`,
    ...(request.upper === undefined ? [] : [`upperdir=${escapeOption(request.upper)}`]),
    ...(request.work === undefined ? [] : [`workdir=${escapeOption(request.work)}`]),
  ].join(',');
  if (Buffer.byteLength(options) <= optionBytesLimit) {
    await mount({ source: 'overlay', target: request.target, type: 'overlay', options });
    return;
  }
  await configureMount('overlay', request.target, [
    ['source', 'overlay'],
    ...topFirst.map((lower) => ['lowerdir+', lower] as const),
    ...(request.upper === undefined ? [] : [['upperdir', request.upper] as const]),
    ...(request.work === undefined ? [] : [['workdir', request.work] as const]),
    ...request.options.map(splitOption),
  ]);
}

function escapeLower(directory: string): string {
  return directory.replaceAll(/[\\:,]/g, String.raw`\$&`);
}

function escapeOption(value: string): string {
  return value.replaceAll(/[\\,]/g, String.raw`\$&`);
}

function splitOption(option: string): readonly [string, string | undefined] {
  const equals = option.indexOf('=');
  return equals < 0 ? [option, undefined] : [option.slice(0, equals), option.slice(equals + 1)];
}

/** Mounts with fsopen, fsconfig, fsmount and move_mount. Only creating the file system may take time. */
async function configureMount(
  type: string,
  target: string,
  options: readonly (readonly [string, string | undefined])[],
  readOnly = false,
): Promise<void> {
  const context = result(fsopenCall(systemCalls.fsopen, type, 1), 'fsopen', type);
  try {
    for (const [name, value] of readOnly ? [...options, ['ro', undefined] as const] : options) {
      const command = value === undefined ? configure.setFlag : configure.setString;
      result(
        fsconfigCall(systemCalls.fsconfig, context, command, name, value ?? null, 0),
        'fsconfig',
        `${name} of ${target}`,
      );
    }
    await call(fsconfigCall, 'fsconfig', target, systemCalls.fsconfig, context, configure.create, null, null, 0);
    const attributes = readOnly ? mountFlags.readOnly : 0;
    const mounted = result(fsmountCall(systemCalls.fsmount, context, 1, attributes), 'fsmount', target);
    try {
      const emptyPath = 4;
      result(moveMountCall(systemCalls.moveMount, mounted, '', atFdcwd, target, emptyPath), 'move_mount', target);
    } finally {
      closeCall(mounted);
    }
  } finally {
    closeCall(context);
  }
}

function result(value: unknown, name: string, subject: string): number {
  const number = Number(value);
  if (number < 0) throw new SystemCallError(name, lastErrno(), subject);
  return number;
}

function call(declared: typeof mountCall, name: string, subject: string, ...parameters: unknown[]): Promise<void> {
  return new Promise((resolve, reject) => {
    declared.async(...parameters, (error: unknown, value: unknown) => {
      // koffi carries errno of the pool thread into this callback.
      if (error) reject(new Error('koffi could not make the call', { cause: error }));
      else if (Number(value) < 0) reject(new SystemCallError(name, lastErrno(), subject));
      else resolve();
    });
  });
}
