import { EngineError } from '../../base/errors.ts';

/** How a stream is compressed. */
export type Compression = 'gzip' | 'zstd' | 'none';

const otherFormats: readonly (readonly [string, readonly number[]])[] = [
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
];

/**
 * Tells from the first bytes how a stream is compressed, whatever a media type says.
 *
 * @throws {EngineError} invalidArgument for formats that are known but not read.
 */
export function detectCompression(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return 'gzip';
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd';
  // A skippable frame: 0x184D2A50 to 0x184D2A5F.
  if (((head[0] ?? 0) & 0xf0) === 0x50 && startsWith(head.subarray(1), [0x2a, 0x4d, 0x18])) return 'zstd';
  for (const [name, magic] of otherFormats) {
    // A tar may begin with any file name; its header tells that it is one.
    if (startsWith(head, magic) && !isTarHeader(head)) {
      throw new EngineError('invalidArgument', `compression ${name} is not supported, only gzip and zstd are`);
    }
  }
  return 'none';
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

function isTarHeader(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(257, 262)).toString('latin1') === 'ustar';
}
