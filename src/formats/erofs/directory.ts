import { blockBytes } from './layout.ts';

/** A name in a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly nid: number;
  /** 1 file, 2 directory, 3 character device, 4 block device, 5 fifo, 6 socket, 7 symbolic link. */
  readonly type: number;
}

const entryBytes = 12;

const typeOfMode: Readonly<Record<number, number>> = {
  0o010000: 5,
  0o020000: 3,
  0o040000: 2,
  0o060000: 4,
  0o100000: 1,
  0o120000: 7,
  0o140000: 6,
};

/** Returns the type number of a mode in directory entries. */
export function entryTypeOf(mode: number): number {
  return typeOfMode[mode & 0o170000] ?? 0;
}

/**
 * Returns a directory's names with `.` and `..` where they belong: the order is of bytes over all of them, so that names like
 * `#a` and `-b` come before.
 */
export function withDots<T extends { readonly name: string }>(sorted: readonly T[], dot: T, dotDot: T): T[] {
  const result: T[] = [];
  const dots = [dot, dotDot];
  for (const entry of sorted) {
    while (dots[0] && dots[0].name < entry.name) result.push(dots.shift() as T);
    result.push(entry);
  }
  return [...result, ...dots];
}

/** Returns where the blocks of a directory begin, as indexes into its names, and its size. */
export function packDirectory(entries: readonly { readonly name: string }[]): {
  readonly starts: readonly number[];
  readonly sizeBytes: number;
} {
  const starts = [0];
  let used = 0;
  entries.forEach((entry, index) => {
    const needed = entryBytes + entry.name.length;
    if (used + needed > blockBytes) {
      starts.push(index);
      used = 0;
    }
    used += needed;
  });
  return { starts, sizeBytes: (starts.length - 1) * blockBytes + used };
}

/** Writes a directory's blocks at `offset` of a zeroed buffer. */
export function writeDirectory(target: Buffer, offset: number, entries: readonly DirectoryEntry[]): void {
  const { starts } = packDirectory(entries);
  starts.forEach((start, block) => {
    const part = entries.slice(start, starts[block + 1] ?? entries.length);
    const base = offset + block * blockBytes;
    let nameOffset = part.length * entryBytes;
    part.forEach((entry, index) => {
      const at = base + index * entryBytes;
      target.writeUInt32LE(entry.nid, at);
      target.writeUInt16LE(nameOffset, at + 8);
      target.writeUInt8(entry.type, at + 10);
      nameOffset += target.write(entry.name, base + nameOffset, 'latin1');
    });
  });
}

/** Reads the entries of one directory block, `.` and `..` included. */
export function readDirectoryBlock(block: Buffer): DirectoryEntry[] {
  const count = block.length < entryBytes ? 0 : block.readUInt16LE(8) / entryBytes;
  const entries: DirectoryEntry[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * entryBytes;
    const start = block.readUInt16LE(at + 8);
    const end = index + 1 < count ? block.readUInt16LE(at + entryBytes + 8) : endOfLastName(block, start);
    entries.push({
      name: block.toString('latin1', start, end),
      nid: block.readUInt32LE(at),
      type: block.readUInt8(at + 10),
    });
  }
  return entries;
}

function endOfLastName(block: Buffer, start: number): number {
  const nul = block.indexOf(0, start);
  return nul < 0 ? block.length : nul;
}
