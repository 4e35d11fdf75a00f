import { EngineError } from '../../base/errors.ts';

/** Name prefixes and their numbers; the two ACL names stand for themselves. */
const prefixes: readonly (readonly [string, number])[] = [
  ['system.posix_acl_access', 2],
  ['system.posix_acl_default', 3],
  ['user.', 1],
  ['trusted.', 4],
  ['security.', 6],
];

const headerBytes = 12;
/** The inode counts xattr bytes in 16 bits, in units of four. */
const bodyLimit = 0xffff * 4;

/** Whether EROFS can hold an attribute of this name. */
export function isRepresentableXattr(name: string): boolean {
  return findPrefix(name) !== undefined;
}

function findPrefix(name: string): readonly [string, number] | undefined {
  return prefixes.find(([prefix]) => (prefix.endsWith('.') ? name.startsWith(prefix) : name === prefix));
}

/**
 * Returns the bytes that follow an inode, in the order of the names.
 *
 * @throws {EngineError} invalidArgument naming an attribute that cannot be held: no known prefix, or too long.
 */
export function encodeXattrs(xattrs: ReadonlyMap<string, Uint8Array>): Buffer {
  const parts: Buffer[] = [Buffer.alloc(headerBytes)];
  for (const [name, value] of [...xattrs].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const prefix = findPrefix(name);
    const rest = name.slice(prefix?.[0].length ?? 0);
    if (!prefix || rest.length > 255 || value.length > 0xffff) {
      throw new EngineError(
        'invalidArgument',
        `extended attribute ${JSON.stringify(name.slice(0, 300))} cannot be kept`,
      );
    }
    const entry = Buffer.alloc(Math.ceil((4 + rest.length + value.length) / 4) * 4);
    entry.writeUInt8(rest.length, 0);
    entry.writeUInt8(prefix[1], 1);
    entry.writeUInt16LE(value.length, 2);
    entry.write(rest, 4, 'latin1');
    entry.set(value, 4 + rest.length);
    parts.push(entry);
  }
  const body = Buffer.concat(parts);
  if (body.length > bodyLimit) throw new EngineError('invalidArgument', 'extended attributes are larger than 256 KiB');
  return body;
}

/** Returns the count field of an inode with this xattr body. */
export function xattrCount(body: Uint8Array | undefined): number {
  return body === undefined ? 0 : 1 + (body.length - headerBytes) / 4;
}

/** Returns the length of the xattr body of an inode with this count field. */
export function xattrBodyBytes(count: number): number {
  return count === 0 ? 0 : headerBytes + (count - 1) * 4;
}

/** Inverse of {@link encodeXattrs}; shared attributes are not known here. */
export function decodeXattrs(body: Buffer): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  let position = headerBytes;
  while (position + 4 <= body.length) {
    const nameLength = body.readUInt8(position);
    const prefix = prefixes.find(([, index]) => index === body.readUInt8(position + 1))?.[0] ?? '';
    const valueLength = body.readUInt16LE(position + 2);
    const valueStart = position + 4 + nameLength;
    const name = prefix + body.toString('latin1', position + 4, valueStart);
    xattrs.set(name, body.subarray(valueStart, valueStart + valueLength));
    position += Math.ceil((4 + nameLength + valueLength) / 4) * 4;
  }
  return xattrs;
}
