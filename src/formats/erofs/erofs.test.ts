import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildErofsIndex } from './index-writer.ts';
import { ErofsIndexReader, type ErofsInode } from './index-reader.ts';
import { FileTree, type InodeAttributes } from './file-tree.ts';
import { crc32c, decodeDevice, encodeDevice, readSuperblock, writeSuperblock } from './layout.ts';
import { decodeXattrs, encodeXattrs, isRepresentableXattr } from './xattrs.ts';

const directory: InodeAttributes = {
  mode: 0o040755,
  uid: 0,
  gid: 0,
  mtimeSeconds: -1,
  mtimeNanoseconds: 5,
  sizeBytes: 0,
  location: 0,
};

/** A tree with `count` names in one directory, some with long links and attributes. */
function makeTree(count: number): FileTree {
  const tree = new FileTree();
  tree.setInode(FileTree.root, tree.addInode(directory));
  const node = tree.ensure(FileTree.root, 'd');
  tree.setInode(node, tree.addInode(directory));
  for (let index = 0; index < count; index++) {
    const name = `${'!-.a~\xff'[index % 6] ?? ''}${(index * 7919) % count}`.padEnd(1 + (index % 250), 'x');
    const isLink = index % 3 === 0;
    const attributes: InodeAttributes = {
      ...directory,
      mode: isLink ? 0o120777 : 0o100644,
      uid: 2 ** 31 + index,
      sizeBytes: isLink ? 0 : index * 1000,
      location: isLink ? 0 : index,
      linkTarget: isLink ? 't'.repeat(1 + ((index * 37) % 2000)) : undefined,
      xattrs: index % 5 === 0 ? encodeXattrs(new Map([['user.n', Buffer.alloc(index % 700, 'v')]])) : undefined,
    };
    const child = tree.ensure(node, name);
    if (tree.inodeOf(child) === undefined) tree.setInode(child, tree.addInode(attributes));
  }
  return tree;
}

test('an index reads back as the tree it was built of, and finds every name', () => {
  for (const count of [0, 1, 40, 3000]) {
    const tree = makeTree(count);
    const metaBlock = 16;
    const { bytes } = buildErofsIndex(tree, metaBlock);
    assert.deepEqual(buildErofsIndex(makeTree(count), metaBlock).bytes, bytes);
    const reader = new ErofsIndexReader(bytes, metaBlock, 'test');
    const entry = reader.find(reader.root(), 'd');
    assert.ok(entry);
    const parent = reader.inode(entry.nid);
    const expected = tree.children(tree.find(FileTree.root, 'd') ?? 0);
    const listed = [...reader.children(parent)];
    assert.deepEqual(
      listed.map(({ name }) => name),
      expected.map(({ name }) => name),
    );
    for (const [index, { name, node }] of expected.entries()) {
      assert.equal(reader.find(parent, name)?.nid, listed[index]?.nid);
      assertSame(reader, reader.inode(listed[index]?.nid ?? 0), tree.attributesOf(tree.inodeOf(node) ?? 0));
    }
    assert.equal(reader.find(parent, 'no such name'), undefined);
    assert.equal(reader.find(parent, ''), undefined);
  }
});

function assertSame(reader: ErofsIndexReader, inode: ErofsInode, expected: InodeAttributes): void {
  assert.equal(inode.mode, expected.mode);
  assert.equal(inode.uid, expected.uid);
  assert.deepEqual([inode.mtimeSeconds, inode.mtimeNanoseconds], [-1, 5]);
  if (expected.linkTarget === undefined)
    assert.deepEqual([inode.sizeBytes, inode.startBlock], [expected.sizeBytes, expected.location]);
  else assert.equal(reader.linkTarget(inode), expected.linkTarget);
  assert.deepEqual(reader.xattrBody(inode.nid), expected.xattrs);
}

test('ErofsIndexReader refuses numbers out of bounds', () => {
  const reader = new ErofsIndexReader(Buffer.alloc(512, 0xff), 8, 'test');
  assert.throws(() => reader.inode(1000), { kind: 'dataLoss' });
  assert.throws(() => [...reader.children(reader.root())], { kind: 'dataLoss' });
});

test('FileTree: a directory replaced by a file loses what was in it, and gets nothing back', () => {
  const tree = new FileTree();
  const node = tree.ensure(FileTree.root, 'd');
  tree.setInode(node, tree.addInode(directory));
  const child = tree.ensure(node, 'x');
  tree.setInode(child, tree.addInode(directory));
  tree.clearBelow(node);
  assert.equal(tree.inodeOf(child), undefined);
  assert.equal(tree.find(node, 'x'), child);
  assert.deepEqual(tree.children(node), []);
});

test('superblock: reads back, and damage is noticed', () => {
  const head = Buffer.alloc(4096);
  const superblock = {
    inodeCount: 3,
    totalBlocks: 100,
    metaBlock: 8,
    uuid: Buffer.alloc(16, 7),
    hasChunks: true,
    devices: [
      { blocks: 5, startBlock: 1000 },
      { blocks: 6, startBlock: 1005 },
    ],
  };
  writeSuperblock(head, superblock, 2048);
  assert.deepEqual(readSuperblock(head, 'test'), superblock);
  head[1100] = 1;
  assert.throws(() => readSuperblock(head, 'test'), { kind: 'dataLoss' });
});

test('crc32c() has the known value of its check string, but for the final inversion', () => {
  assert.equal((crc32c(Buffer.from('123456789')) ^ 0xffff_ffff) >>> 0, 0xe3069283);
});

test('encodeXattrs() and encodeDevice() have inverses', () => {
  const xattrs = new Map([
    ['security.capability', Buffer.from([1, 2, 3])],
    ['system.posix_acl_access', Buffer.alloc(0)],
    ['user.', Buffer.alloc(65_535, 'v')],
  ]);
  assert.deepEqual(decodeXattrs(encodeXattrs(xattrs)), xattrs);
  assert.equal(isRepresentableXattr('com.apple.x'), false);
  assert.throws(() => encodeXattrs(new Map([['user.x', Buffer.alloc(65_536)]])), { kind: 'invalidArgument' });
  assert.deepEqual(decodeDevice(encodeDevice(4095, 0xfffff)), { major: 4095, minor: 0xfffff });
});
