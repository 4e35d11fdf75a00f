/**
 * An overlay's upper directory as the tar of a layer: everything in it is listed, with all attributes; overlayfs's whiteouts
 * and opaque directories become the names of OCI image-spec, layer.md. Names are bytes, sorted, so the same directory gives
 * the same tar. A container may change the directory meanwhile: it is walked by descriptors, so that a directory that becomes
 * a link leads nowhere.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { isErrorCode } from '../base/errors.ts';
import { formatTarHeader, tarEnd, type TarMember, tarPadding } from '../formats/tar/writer.ts';
import { modeType, splitDeviceNumber } from '../host/nodes.ts';
import { readXattrs } from '../host/xattr.ts';

/** Small members go out together: a system call for each would cost more than their bytes. */
const outputBytes = 256 * 1024;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_NOATIME } = constants;

/** Hands the tar out in pieces; `sink` must not keep them. */
export function writeUpperTar(directory: string, sink: (bytes: Buffer) => void): void {
  new UpperTar(sink).write(directory);
}

class UpperTar {
  readonly #sink: (bytes: Buffer) => void;
  readonly #output = Buffer.allocUnsafeSlow(outputBytes);
  #fill = 0;
  /** First names of inodes that have several, by device and number. */
  readonly #linked = new Map<string, string>();

  constructor(sink: (bytes: Buffer) => void) {
    this.#sink = sink;
  }

  write(directory: string): void {
    const descriptor = openSync(directory, O_RDONLY | O_DIRECTORY);
    try {
      if (isOpaque(readXattrs(directory))) this.#writeMarker('.wh..wh..opq');
      this.#writeChildren(descriptor, '');
    } finally {
      closeSync(descriptor);
    }
    this.#emit(tarEnd);
    this.#flush();
  }

  #writeChildren(descriptor: number, prefix: string): void {
    const names = readdirSync(`/proc/self/fd/${descriptor}`, { encoding: 'buffer' });
    for (const name of names.toSorted((a, b) => Buffer.compare(a, b))) {
      const location = Buffer.concat([Buffer.from(`/proc/self/fd/${descriptor}/`), name]);
      try {
        this.#writeEntry(location, prefix, name.toString('latin1'));
      } catch (error) {
        // Removed since the directory was listed, or put in another's place: as if it had been so before.
        if (!isErrorCode(error, 'ENOENT', 'ELOOP', 'ENOTDIR')) throw error;
      }
    }
  }

  #writeEntry(location: Buffer, prefix: string, name: string): void {
    const status = lstatSync(location, { bigint: true });
    const path = prefix + name;
    switch (Number(status.mode) & modeType.mask) {
      case modeType.directory:
        this.#writeDirectory(location, path);
        break;
      case modeType.file:
        if (!this.#writeLinkTo(status, path)) this.#writeFile(location, path);
        break;
      case modeType.symlink:
        if (this.#writeLinkTo(status, path)) break;
        this.#header(location, status, {
          path,
          type: 'symlink',
          linkTarget: readlinkSync(location, { encoding: 'buffer' }).toString('latin1'),
        });
        break;
      case modeType.character:
        if (status.rdev === 0n) this.#writeMarker(`${prefix}.wh.${name}`);
        else if (!this.#writeLinkTo(status, path)) this.#header(location, status, { path, type: 'character' });
        break;
      case modeType.block:
        if (!this.#writeLinkTo(status, path)) this.#header(location, status, { path, type: 'block' });
        break;
      case modeType.fifo:
        if (!this.#writeLinkTo(status, path)) this.#header(location, status, { path, type: 'fifo' });
        break;
      default:
      // Sockets mean nothing without their process; archives have no type for them.
    }
  }

  #writeDirectory(location: Buffer, path: string): void {
    const descriptor = openSync(location, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      const self = Buffer.from(`/proc/self/fd/${descriptor}/.`);
      const xattrs = readXattrs(self);
      this.#header(self, fstatSync(descriptor, { bigint: true }), { path: `${path}/`, type: 'directory' });
      if (isOpaque(xattrs)) this.#writeMarker(`${path}/.wh..wh..opq`);
      this.#writeChildren(descriptor, `${path}/`);
    } finally {
      closeSync(descriptor);
    }
  }

  #writeFile(location: Buffer, path: string): void {
    const descriptor = openSync(location, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME);
    try {
      const status = fstatSync(descriptor, { bigint: true });
      if (!status.isFile()) return;
      const size = Number(status.size);
      this.#header(location, status, { path, type: 'file', sizeBytes: size });
      for (let position = 0; position < size;) {
        if (this.#fill === outputBytes) this.#flush();
        const wanted = Math.min(outputBytes - this.#fill, size - position);
        const length = readSync(descriptor, this.#output, this.#fill, wanted, position);
        // The file became shorter while it was read; its header is out already.
        if (length === 0) this.#output.fill(0, this.#fill, this.#fill + wanted);
        this.#fill += length === 0 ? wanted : length;
        position += length === 0 ? wanted : length;
      }
      this.#emit(tarPadding(size));
    } finally {
      closeSync(descriptor);
    }
  }

  #emit(bytes: Buffer): void {
    if (this.#fill + bytes.length > outputBytes) this.#flush();
    if (bytes.length > outputBytes) this.#sink(bytes);
    else this.#fill += bytes.copy(this.#output, this.#fill);
  }

  #flush(): void {
    if (this.#fill > 0) this.#sink(this.#output.subarray(0, this.#fill));
    this.#fill = 0;
  }

  #writeLinkTo(status: BigIntStats, path: string): boolean {
    if (status.nlink < 2n) return false;
    const key = `${status.dev}:${status.ino}`;
    const first = this.#linked.get(key);
    if (first === undefined) {
      this.#linked.set(key, path);
      return false;
    }
    this.#emit(formatTarHeader({ ...memberOf(status), path, type: 'hardlink', linkTarget: first }));
    return true;
  }

  #header(location: Buffer, status: BigIntStats, what: Pick<TarMember, 'path' | 'type'> & Partial<TarMember>): void {
    const xattrs = new Map([...readXattrs(location)].filter(([name]) => !name.startsWith('trusted.overlay.')));
    const device = what.type === 'character' || what.type === 'block' ? splitDeviceNumber(status.rdev) : undefined;
    this.#emit(
      formatTarHeader({
        ...memberOf(status),
        ...(device ? { deviceMajor: device.major, deviceMinor: device.minor } : {}),
        ...what,
        xattrs,
      }),
    );
  }

  #writeMarker(path: string): void {
    this.#emit(formatTarHeader({ ...emptyMember, path }));
  }
}

const emptyMember: TarMember = {
  path: '',
  type: 'file',
  mode: 0,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  sizeBytes: 0,
  linkTarget: '',
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: undefined,
};

function memberOf(status: BigIntStats): TarMember {
  const nanoseconds = ((status.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return {
    ...emptyMember,
    mode: Number(status.mode) & 0o7777,
    uid: Number(status.uid),
    gid: Number(status.gid),
    mtimeSeconds: Number((status.mtimeNs - nanoseconds) / 1_000_000_000n),
    mtimeNanoseconds: Number(nanoseconds),
  };
}

function isOpaque(xattrs: ReadonlyMap<string, Buffer>): boolean {
  return xattrs.get('trusted.overlay.opaque')?.toString('latin1') === 'y';
}
