import { type DirectoryEntry, entryTypeOf, packDirectory, withDots, writeDirectory } from './directory.ts';
import { FileTree } from './file-tree.ts';
import { blockBytes, dataLayout, rootNid } from './layout.ts';
import { xattrCount } from './xattrs.ts';

const inodeBytes = 64;
const slotBytes = 32;
const directoryType = 0o040000;
const typeMask = 0o170000;

/** A finished index, to be written at block `metaBlock`. */
export interface ErofsIndex {
  readonly bytes: Buffer;
  readonly inodeCount: number;
  readonly hasChunks: boolean;
}

/** What the two passes share: where each inode lies and how its data is kept. */
interface Plan {
  readonly tree: FileTree;
  readonly metaBlock: number;
  /** Directories, parents before children; the order inodes are written in follows it. */
  readonly directories: number[];
  readonly nids: Uint32Array;
  readonly linkCounts: Uint32Array;
  /** Bytes of directory or link data that goes inline; 0 when it has blocks. */
  readonly inlineBytes: Uint16Array;
  /** Sizes of directories. */
  readonly sizes: Map<number, number>;
  /** First block, within the index, of directories and links that have blocks. */
  readonly ownBlocks: Map<number, number>;
  /** End of the inodes placed so far. */
  position: number;
  blocksUsed: number;
  inodeCount: number;
}

/**
 * Builds the index of a tree whose root has an inode: inodes depth first with the children of a directory side by side, then
 * directories and links that do not fit inline. The same tree gives the same bytes.
 */
export function buildErofsIndex(tree: FileTree, metaBlock: number): ErofsIndex {
  const plan: Plan = {
    tree,
    metaBlock,
    directories: [],
    nids: new Uint32Array(tree.inodeCount),
    linkCounts: new Uint32Array(tree.inodeCount),
    inlineBytes: new Uint16Array(tree.inodeCount),
    sizes: new Map(),
    ownBlocks: new Map(),
    position: rootNid * slotBytes,
    blocksUsed: 0,
    inodeCount: 0,
  };
  placeAll(plan);
  const dataStart = roundUp(plan.position, blockBytes);
  const bytes = Buffer.alloc(dataStart + plan.blocksUsed * blockBytes);
  for (let inode = 0; inode < tree.inodeCount; inode++) {
    if (plan.nids[inode] !== 0) writeInode(plan, inode, bytes, dataStart);
  }
  for (const directory of plan.directories) writeDirectoryData(plan, directory, bytes, dataStart);
  return { bytes, inodeCount: plan.inodeCount, hasChunks: tree.hasChunks };
}

function placeAll(plan: Plan): void {
  const { tree } = plan;
  const root = tree.inodeOf(FileTree.root) ?? 0;
  plan.linkCounts[root] = 2;
  placeDirectory(plan, FileTree.root, root);
  const stack = [FileTree.root];
  for (let directory = stack.pop(); directory !== undefined; directory = stack.pop()) {
    plan.directories.push(directory);
    const subdirectories: number[] = [];
    for (const child of tree.children(directory)) {
      const inode = tree.inodeOf(child.node) ?? 0;
      if ((tree.modeOf(inode) & typeMask) === directoryType) {
        plan.linkCounts[inode] = 2;
        bump(plan.linkCounts, tree.inodeOf(directory) ?? 0);
        placeDirectory(plan, child.node, inode);
        subdirectories.push(child.node);
        continue;
      }
      bump(plan.linkCounts, inode);
      if (plan.nids[inode] === 0) placeFile(plan, inode);
    }
    for (const node of subdirectories.toReversed()) stack.push(node);
  }
}

function bump(counts: Uint32Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}

function placeDirectory(plan: Plan, node: number, inode: number): void {
  const names = withDots<{ readonly name: string }>(plan.tree.children(node), { name: '.' }, { name: '..' });
  const { sizeBytes } = packDirectory(names);
  plan.sizes.set(inode, sizeBytes);
  place(plan, inode, sizeBytes);
}

function placeFile(plan: Plan, inode: number): void {
  const { linkTarget, chunks } = plan.tree.attributesOf(inode);
  if (chunks) place(plan, inode, 0, chunks.blocks.length * 4);
  else place(plan, inode, linkTarget?.length ?? 0);
}

/** Gives an inode its place: its 64 bytes never cross a block, and inline data shares the block with them. */
function place(plan: Plan, inode: number, dataBytes: number, tableBytes = 0): void {
  const xattrBytes = plan.tree.attributesOf(inode).xattrs?.length ?? 0;
  const together = inodeBytes + xattrBytes + dataBytes;
  const isInline = dataBytes > 0 && together <= blockBytes;
  const unbroken = isInline ? together : inodeBytes;
  const room = blockBytes - (plan.position % blockBytes);
  if (room < unbroken) plan.position += room;
  plan.nids[inode] = plan.position / slotBytes;
  plan.inodeCount++;
  if (isInline) plan.inlineBytes[inode] = dataBytes;
  else if (dataBytes > 0) {
    plan.ownBlocks.set(inode, plan.blocksUsed);
    plan.blocksUsed += Math.ceil(dataBytes / blockBytes);
  }
  plan.position = roundUp(plan.position + (isInline ? together : inodeBytes + xattrBytes + tableBytes), slotBytes);
}

function writeInode(plan: Plan, inode: number, bytes: Buffer, dataStart: number): void {
  const attributes = plan.tree.attributesOf(inode);
  const nid = plan.nids[inode] ?? 0;
  const at = nid * slotBytes;
  const inlineBytes = plan.inlineBytes[inode] ?? 0;
  const ownBlock = plan.ownBlocks.get(inode);
  const { chunks, xattrs, linkTarget } = attributes;
  const layout = chunks ? dataLayout.chunks : inlineBytes > 0 ? dataLayout.inline : dataLayout.plain;
  const size = plan.sizes.get(inode) ?? linkTarget?.length ?? attributes.sizeBytes;
  bytes.writeUInt16LE(1 | (layout << 1), at);
  bytes.writeUInt16LE(xattrCount(xattrs), at + 2);
  bytes.writeUInt16LE(attributes.mode, at + 4);
  bytes.writeBigUInt64LE(BigInt(size), at + 8);
  if (chunks) bytes.writeUInt16LE(chunks.bits, at + 16);
  else if (ownBlock !== undefined) bytes.writeUInt32LE(plan.metaBlock + dataStart / blockBytes + ownBlock, at + 16);
  else if (inlineBytes === 0) bytes.writeUInt32LE(attributes.location, at + 16);
  bytes.writeUInt32LE(nid, at + 20);
  bytes.writeUInt32LE(attributes.uid, at + 24);
  bytes.writeUInt32LE(attributes.gid, at + 28);
  bytes.writeBigInt64LE(BigInt(attributes.mtimeSeconds), at + 32);
  bytes.writeUInt32LE(attributes.mtimeNanoseconds, at + 40);
  bytes.writeUInt32LE(plan.linkCounts[inode] ?? 1, at + 44);
  xattrs?.copy(bytes, at + inodeBytes);
  const bodyStart = at + inodeBytes + (xattrs?.length ?? 0);
  chunks?.blocks.forEach((block, index) => bytes.writeUInt32LE(block, bodyStart + index * 4));
  if (linkTarget !== undefined) {
    bytes.write(linkTarget, ownBlock === undefined ? bodyStart : dataStart + ownBlock * blockBytes, 'latin1');
  }
}

function writeDirectoryData(plan: Plan, node: number, bytes: Buffer, dataStart: number): void {
  const { tree, nids } = plan;
  const inode = tree.inodeOf(node) ?? 0;
  const nidOf = (of: number): number => nids[tree.inodeOf(of) ?? 0] ?? 0;
  const entries: DirectoryEntry[] = tree.children(node).map((child) => ({
    name: child.name,
    nid: nidOf(child.node),
    type: entryTypeOf(tree.modeOf(tree.inodeOf(child.node) ?? 0)),
  }));
  const dot = { name: '.', nid: nidOf(node), type: 2 };
  const dotDot = { name: '..', nid: nidOf(tree.parentOf(node)), type: 2 };
  const ownBlock = plan.ownBlocks.get(inode);
  const inlineAt = (nids[inode] ?? 0) * slotBytes + inodeBytes + (tree.attributesOf(inode).xattrs?.length ?? 0);
  writeDirectory(
    bytes,
    ownBlock === undefined ? inlineAt : dataStart + ownBlock * blockBytes,
    withDots(entries, dot, dotDot),
  );
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
