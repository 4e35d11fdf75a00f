/**
 * Describes a directory tree so that two of them can be compared: one line an entry, sorted by path, with everything that an
 * image can say of it, and one digest over the lines.
 *
 *     tree-digest.ts DIRECTORY [--list] [--no-links] [--no-directory-times]
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { splitDeviceNumber } from '../src/host/nodes.ts';
import { readXattrs } from '../src/host/xattr.ts';

/** What is left out of a comparison. */
export interface TreeDigestOptions {
  /** Which names are one file. */
  readonly ignoreLinks?: boolean;
  /** Modification times of directories, which some unpackers do not restore. */
  readonly ignoreDirectoryTimes?: boolean;
  /** Everything of the root directory itself. */
  readonly ignoreRoot?: boolean;
}

/** Returns the lines of a tree. Bytes outside of printable ASCII are escaped. */
export function listTree(directory: string, options: TreeDigestOptions = {}): string[] {
  const lines: string[] = [];
  const firstNames = new Map<string, string>();
  const visit = (path: string): void => {
    const location = Buffer.concat([Buffer.from(directory), Buffer.from(path, 'latin1')]);
    const status = lstatSync(location, { bigint: true });
    if (path !== '' || options.ignoreRoot !== true) lines.push(describe(path, location, status, firstNames, options));
    if (!status.isDirectory()) return;
    const names = readdirSync(location, { encoding: 'buffer' });
    for (const name of names.toSorted((a, b) => Buffer.compare(a, b))) visit(`${path}/${name.toString('latin1')}`);
  };
  visit('');
  return lines;
}

/** Returns the digest over the lines of a tree. */
export function digestTree(directory: string, options: TreeDigestOptions = {}): string {
  return createHash('sha256').update(listTree(directory, options).join('\n')).digest('hex');
}

function describe(
  path: string,
  location: Buffer,
  status: BigIntStats,
  firstNames: Map<string, string>,
  options: TreeDigestOptions,
): string {
  const fields = [
    escape(path === '' ? '/' : path),
    (Number(status.mode) & 0o177777).toString(8),
    `${status.uid}:${status.gid}`,
  ];
  if (!(status.isDirectory() && options.ignoreDirectoryTimes === true)) fields.push(`mtime=${status.mtimeNs}`);
  const xattrs = [...readXattrs(location)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of xattrs) fields.push(`${escape(name)}=${value.toString('hex')}`);
  if (status.isSymbolicLink())
    fields.push(`-> ${escape(readlinkSync(location, { encoding: 'buffer' }).toString('latin1'))}`);
  if (status.isCharacterDevice() || status.isBlockDevice()) {
    const { major, minor } = splitDeviceNumber(status.rdev);
    fields.push(`device=${major}:${minor}`);
  }
  if (status.isFile()) fields.push(`size=${status.size}`, `sha256=${hashOf(location)}`);
  if (!status.isDirectory() && status.nlink > 1n && options.ignoreLinks !== true) {
    const key = `${status.dev}:${status.ino}`;
    const first = firstNames.get(key);
    if (first === undefined) firstNames.set(key, path);
    else fields.push(`same as ${escape(first)}`);
  }
  return fields.join(' ');
}

function hashOf(location: Buffer): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  const descriptor = openSync(location, 'r');
  try {
    for (;;) {
      const length = readSync(descriptor, buffer);
      if (length === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, length));
    }
  } finally {
    closeSync(descriptor);
  }
}

function escape(text: string): string {
  return text.replaceAll(/[^!-[\]-~]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

if (import.meta.main) {
  const [directory, ...flags] = process.argv.slice(2);
  if (directory === undefined) {
    console.error('usage: tree-digest.ts DIRECTORY [--list] [--no-links] [--no-directory-times]');
    process.exit(2);
  }
  const options = {
    ignoreLinks: flags.includes('--no-links'),
    ignoreDirectoryTimes: flags.includes('--no-directory-times'),
  };
  if (flags.includes('--list')) for (const line of listTree(directory, options)) console.log(line);
  console.log(digestTree(directory, options));
}
