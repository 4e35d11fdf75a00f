/**
 * The parts of the EROFS on-disk format that layer files use (Linux, Documentation/filesystems/erofs.rst): blocks of 512 bytes,
 * extended inodes only, directories and short links inline or in blocks of their own, file data anywhere, sparse files by
 * chunks, extra devices by unified block numbers. Little endian.
 *
 *   superblock (128 bytes at 1024)          extended inode (64 bytes at metaBlock·512 + 32·nid)
 *    0 u32 magic                             0 u16 1 | layout << 1     2 u16 xattr count
 *    4 u32 CRC-32C of bytes 1024…1535        4 u16 mode                8 u64 size
 *    8 u32 compatible features: 1            16 u32 start block, device or chunk format
 *   12 u8  log2 of the block size            20 u32 inode number      24 u32 uid   28 u32 gid
 *   14 u16 root nid     16 u64 inodes        32 i64 mtime seconds     40 u32 nanoseconds
 *   36 u32 blocks       40 u32 metaBlock     44 u32 link count
 *   48 16 bytes UUID    80 u32 features      then: xattrs, then chunk table or inline data
 *   86 u16 devices      88 u16 table / 128
 */
import { EngineError } from '../../base/errors.ts';

/** Bytes of a block. */
export const blockBytes = 512;
/** Where the superblock begins. */
export const superblockOffset = 1024;
/** Bytes of one slot of the device table; it may begin at a multiple of that. */
export const deviceSlotBytes = 128;
/** The root's number. Not 0: nid 0 would show as inode number 0. */
export const rootNid = 2;
/** Start block of a hole. */
export const holeBlock = 0xffff_ffff;

/** Data layouts of inodes. */
export const dataLayout = { plain: 0, inline: 2, chunks: 4 } as const;

const magic = 0xe0f5e1e2;
const featureChecksum = 1;
const incompatible = { chunks: 4, devices: 8 } as const;

/** What a superblock tells. */
export interface Superblock {
  readonly inodeCount: number;
  readonly totalBlocks: number;
  readonly metaBlock: number;
  /** 16 bytes, not all zero: overlayfs needs them to tell layers apart. */
  readonly uuid: Uint8Array;
  readonly hasChunks: boolean;
  readonly devices: readonly Device[];
}

/** An extra device: its blocks appear at `startBlock` of the unified numbering. */
export interface Device {
  readonly blocks: number;
  readonly startBlock: number;
}

/** Writes superblock and device table into a file's head, which must be zero there. */
export function writeSuperblock(head: Buffer, superblock: Superblock, deviceTableOffset: number): void {
  superblock.devices.forEach((device, index) => {
    const slot = deviceTableOffset + index * deviceSlotBytes;
    head.writeUInt32LE(device.blocks, slot + 64);
    head.writeUInt32LE(device.startBlock, slot + 68);
  });
  const at = superblockOffset;
  const hasDevices = superblock.devices.length > 0;
  head.writeUInt32LE(magic, at);
  head.writeUInt32LE(featureChecksum, at + 8);
  head.writeUInt8(Math.log2(blockBytes), at + 12);
  head.writeUInt16LE(rootNid, at + 14);
  head.writeBigUInt64LE(BigInt(superblock.inodeCount), at + 16);
  head.writeUInt32LE(superblock.totalBlocks, at + 36);
  head.writeUInt32LE(superblock.metaBlock, at + 40);
  head.set(superblock.uuid, at + 48);
  head.writeUInt32LE(
    (superblock.hasChunks ? incompatible.chunks : 0) | (hasDevices ? incompatible.devices : 0),
    at + 80,
  );
  head.writeUInt16LE(superblock.devices.length, at + 86);
  head.writeUInt16LE(hasDevices ? deviceTableOffset / deviceSlotBytes : 0, at + 88);
  head.writeUInt32LE(crc32c(head.subarray(at, at + blockBytes)), at + 4);
}

/**
 * Reads the superblock and device table in a file's head.
 *
 * @throws {EngineError} dataLoss when it is none of ours or damaged.
 */
export function readSuperblock(head: Buffer, subject: string): Superblock {
  const at = superblockOffset;
  const block = Buffer.from(head.subarray(at, at + blockBytes));
  if (block.length < blockBytes || block.readUInt32LE(0) !== magic || block.readUInt8(12) !== Math.log2(blockBytes)) {
    throw new EngineError('dataLoss', `${subject} is not a layer index`);
  }
  const checksum = block.readUInt32LE(4);
  block.writeUInt32LE(0, 4);
  if (crc32c(block) !== checksum) throw new EngineError('dataLoss', `the superblock of ${subject} is damaged`);
  const tableOffset = block.readUInt16LE(88) * deviceSlotBytes;
  const devices = Array.from({ length: block.readUInt16LE(86) }, (_, index) => ({
    blocks: head.readUInt32LE(tableOffset + index * deviceSlotBytes + 64),
    startBlock: head.readUInt32LE(tableOffset + index * deviceSlotBytes + 68),
  }));
  return {
    inodeCount: Number(block.readBigUInt64LE(16)),
    totalBlocks: block.readUInt32LE(36),
    metaBlock: block.readUInt32LE(40),
    uuid: block.subarray(48, 64),
    hasChunks: (block.readUInt32LE(80) & incompatible.chunks) !== 0,
    devices,
  };
}

/** Returns a device number as inodes hold it. */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** Splits a device number that an inode holds. */
export function decodeDevice(device: number): { readonly major: number; readonly minor: number } {
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}

let crcTable: Uint32Array | undefined;

/** CRC-32C, reflected, initial value all ones, not inverted at the end. */
export function crc32c(bytes: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0x82f63b78;
    return value >>> 0;
  });
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] ?? 0);
  return crc >>> 0;
}
