/**
 * Makes the variant of a layer for one chain: the layer's index once more, with what only the layers below can tell filled in.
 * No file content is copied; the variant's devices are the layer file and the lower files that hard links lead into.
 *
 * - A directory that the tar implies gets the attributes it has below. Where it is a symbolic link below, what the layer has
 *   in it goes where the link leads (as containerd does; a listed directory replaces the link, as everywhere).
 * - A hard link into a lower layer becomes that file. With overlayfs it is a copy of its own: link counts do not cross layers.
 */
import { closeSync, openSync } from 'node:fs';
import { EngineError } from '../base/errors.ts';
import { FileTree, type InodeAttributes } from '../formats/erofs/file-tree.ts';
import type { ErofsInode } from '../formats/erofs/index-reader.ts';
import { buildErofsIndex } from '../formats/erofs/index-writer.ts';
import { blockBytes, encodeDevice, holeBlock, writeSuperblock } from '../formats/erofs/layout.ts';
import { encodeXattrs } from '../formats/erofs/xattrs.ts';
import { deviceTable, headBytes, readNotes, writeLayerHeader } from './layer-file.ts';
import { writeAt } from './layer-file-writer.ts';
import {
  blocksOfFile,
  isOpaqueDirectory,
  isWhiteout,
  locateBlock,
  MergedView,
  type ViewedLayer,
  viewLayer,
} from './merged-view.ts';
import { displayPath } from './paths.ts';
import { impliedAttributes } from './tree-builder.ts';
import type { TaskResults, VariantTask } from './worker-tasks.ts';

/** Unified blocks below this are the variant's own: more than any index needs. */
const firstDeviceBlock = 2 ** 23;

const kind = { mask: 0o170000, directory: 0o040000, symlink: 0o120000, file: 0o100000 } as const;

/** Writes a variant; the caller flushes and renames it. */
export function buildVariant(task: VariantTask): TaskResults['variant'] {
  const own = viewLayer(task.layer, []);
  const lowers = task.lowers.map((lower) => {
    if (lower.kind !== 'erofs') throw new EngineError('internal', 'variants are made of layer files');
    return viewLayer(lower.file, lower.devices);
  });
  const builder = new VariantBuilder(own, new MergedView(lowers.toReversed()));
  builder.build();
  write(task, own, builder);
  return { devices: builder.devices.files };
}

function write(task: VariantTask, own: ViewedLayer, builder: VariantBuilder): void {
  const index = buildErofsIndex(builder.tree, headBytes / blockBytes);
  const totalBlocks = (headBytes + index.bytes.length) / blockBytes;
  if (totalBlocks >= firstDeviceBlock) throw new EngineError('resourceExhausted', `${task.layer}: too many files`);
  const head = Buffer.alloc(headBytes);
  const notesOffset = headBytes + index.bytes.length;
  const header = {
    ...own.header,
    tarSizeBytes: 0,
    hasImplied: false,
    hasLowerLinks: false,
    notesOffset,
    notesBytes: 0,
  };
  writeLayerHeader(head, header);
  writeSuperblock(
    head,
    {
      inodeCount: index.inodeCount,
      totalBlocks,
      metaBlock: headBytes / blockBytes,
      uuid: Buffer.from(task.uuid, 'hex'),
      hasChunks: index.hasChunks,
      devices: builder.devices.slots,
    },
    deviceTable.offset,
  );
  const descriptor = openSync(task.target, 'wx', 0o444);
  try {
    writeAt(descriptor, head, 0);
    writeAt(descriptor, index.bytes, headBytes);
  } finally {
    closeSync(descriptor);
  }
}

/** The files that a variant points into, in the order of its device table. */
class DeviceFiles {
  readonly files: string[] = [];
  readonly slots: { readonly blocks: number; readonly startBlock: number }[] = [];

  /** Returns the unified block of a block of a file. */
  blockOf(file: string, block: number): number {
    let index = this.files.indexOf(file);
    if (index < 0) {
      const last = this.slots.at(-1);
      const startBlock = last ? last.startBlock + last.blocks : firstDeviceBlock;
      const blocks = blocksOfFile(file);
      if (this.files.length === deviceTable.limit || startBlock + blocks >= holeBlock) {
        throw new EngineError('resourceExhausted', `${file}: hard links lead into too many layers`);
      }
      index = this.files.push(file) - 1;
      this.slots.push({ blocks, startBlock });
    }
    return (this.slots[index]?.startBlock ?? 0) + block;
  }
}

class VariantBuilder {
  readonly tree = new FileTree();
  readonly devices = new DeviceFiles();
  readonly #own: ViewedLayer;
  readonly #below: MergedView;
  readonly #implied: ReadonlySet<string>;
  readonly #lowerLinks: readonly (readonly [string, string])[];
  /** Inodes of the tree by nid of the layer's own index. */
  readonly #inodes = new Map<number, number>();

  constructor(own: ViewedLayer, below: MergedView) {
    this.#own = own;
    this.#below = below;
    const descriptor = openSync(own.file, 'r');
    try {
      const notes = readNotes(descriptor, own.header, own.file);
      this.#implied = new Set(notes.implied);
      this.#lowerLinks = notes.lowerLinks;
    } finally {
      closeSync(descriptor);
    }
  }

  build(): void {
    const root = this.#own.index.root();
    for (const [name, target] of this.#lowerLinks) this.#linkBelow(name, target);
    this.tree.setInode(FileTree.root, this.tree.addInode(this.#attributesOf(this.#own, root)));
    this.#copyChildren(root, '', FileTree.root, [], isOpaqueDirectory(this.#own, root));
  }

  #linkBelow(name: string, target: string): void {
    const inode = this.#findOwn(name);
    if (this.#inodes.has(inode.nid)) return;
    const found = this.#below.find(target.split('/'));
    if (!found || (found.inode.mode & kind.mask) === kind.directory) {
      const subject = `layer ${this.#own.header.diffId}: hard link ${displayPath(name)}`;
      throw new EngineError(
        'invalidArgument',
        `${subject} leads to ${displayPath(target)}, which no layer below has as a file`,
      );
    }
    this.#inodes.set(inode.nid, this.tree.addInode(this.#attributesOf(found.layer, found.inode)));
  }

  #findOwn(path: string): ErofsInode {
    const { index } = this.#own;
    let inode = index.root();
    for (const name of path.split('/')) {
      const entry = index.find(inode, name);
      if (!entry)
        throw new EngineError('dataLoss', `${this.#own.file}: notes name ${displayPath(path)}, which is not there`);
      inode = index.inode(entry.nid);
    }
    return inode;
  }

  /** Copies what a directory of the layer holds to a node, which is at `place` of the merged view. */
  #copyChildren(directory: ErofsInode, path: string, node: number, place: readonly string[], isHidden: boolean): void {
    const { index } = this.#own;
    for (const entry of index.children(directory)) {
      const child = index.inode(entry.nid);
      const childPath = path === '' ? entry.name : `${path}/${entry.name}`;
      const childPlace = [...place, entry.name];
      if ((child.mode & kind.mask) !== kind.directory) {
        this.#copyFile(child, this.tree.ensure(node, entry.name));
        continue;
      }
      const hides = isHidden || isOpaqueDirectory(this.#own, child);
      if (!this.#implied.has(childPath)) {
        const target = this.tree.ensure(node, entry.name);
        this.#putDirectory(target, this.#attributesOf(this.#own, child));
        this.#copyChildren(child, childPath, target, childPlace, hides);
        continue;
      }
      const landing = isHidden ? childPlace : this.#landingOf(childPlace);
      const target = this.#ensureDirectory(landing, isHidden);
      if (isOpaqueDirectory(this.#own, child)) this.#keepOpaque(target, child);
      this.#copyChildren(child, childPath, target, landing, hides);
    }
  }

  #copyFile(inode: ErofsInode, node: number): void {
    const present = this.tree.inodeOf(node);
    // A directory that a link below led here wins over a file: it has content that would be lost.
    if (present !== undefined && (this.tree.modeOf(present) & kind.mask) === kind.directory) return;
    let copy = this.#inodes.get(inode.nid);
    if (copy === undefined) {
      copy = this.tree.addInode(this.#attributesOf(this.#own, inode));
      this.#inodes.set(inode.nid, copy);
    }
    this.tree.setInode(node, copy);
  }

  /** Where an implied directory's content goes: to the directory itself, or where the link of that name below leads. */
  #landingOf(place: readonly string[]): readonly string[] {
    const found = this.#below.find(place);
    if (!found || (found.inode.mode & kind.mask) !== kind.symlink) return place;
    return this.#below.resolve(place) ?? place;
  }

  /** Returns the node of a directory, and makes it and its parents as they are below. */
  #ensureDirectory(place: readonly string[], isHidden: boolean): number {
    let node: number = FileTree.root;
    place.forEach((name, depth) => {
      node = this.tree.ensure(node, name);
      const present = this.tree.inodeOf(node);
      if (present !== undefined && (this.tree.modeOf(present) & kind.mask) === kind.directory) return;
      const found = isHidden ? undefined : this.#below.find(place.slice(0, depth + 1));
      const isDirectory = found !== undefined && (found.inode.mode & kind.mask) === kind.directory;
      const attributes = isDirectory ? this.#attributesOf(found.layer, found.inode) : impliedAttributes;
      this.tree.setInode(
        node,
        this.tree.addInode({ ...attributes, xattrs: withoutOpaque(found?.layer, found?.inode) }),
      );
    });
    return node;
  }

  #putDirectory(node: number, attributes: InodeAttributes): void {
    const present = this.tree.inodeOf(node);
    if (present !== undefined && (this.tree.modeOf(present) & kind.mask) === kind.directory) {
      this.tree.setAttributes(present, attributes);
    } else this.tree.setInode(node, this.tree.addInode(attributes));
  }

  #keepOpaque(node: number, own: ErofsInode): void {
    const inode = this.tree.inodeOf(node) ?? 0;
    const attributes = this.tree.attributesOf(inode);
    const opaque = this.#own.index.xattrBody(own.nid);
    const both = attributes.xattrs && opaque ? Buffer.concat([attributes.xattrs, opaque.subarray(12)]) : opaque;
    this.tree.setAttributes(inode, { ...attributes, xattrs: both });
  }

  /** An inode of any layer, with its data where the variant sees it. */
  #attributesOf(layer: ViewedLayer, inode: ErofsInode): InodeAttributes {
    const type = inode.mode & kind.mask;
    const chunks = type === kind.file ? layer.index.chunks(inode) : undefined;
    const move = (block: number): number => {
      const located = locateBlock(layer, block);
      return this.devices.blockOf(located.file, located.block);
    };
    const hasData = type === kind.file && !chunks && inode.sizeBytes > 0;
    return {
      mode: inode.mode,
      uid: inode.uid,
      gid: inode.gid,
      mtimeSeconds: inode.mtimeSeconds,
      mtimeNanoseconds: inode.mtimeNanoseconds,
      sizeBytes: type === kind.file ? inode.sizeBytes : 0,
      location: inode.device
        ? encodeDevice(inode.device.major, inode.device.minor)
        : hasData
          ? move(inode.startBlock)
          : 0,
      xattrs: layer.index.xattrBody(inode.nid),
      linkTarget: type === kind.symlink ? layer.index.linkTarget(inode) : undefined,
      chunks: chunks && {
        bits: chunks.bits,
        blocks: chunks.blocks.map((block) => (block === holeBlock ? block : move(block))),
      },
    };
  }
}

/** The attributes of a directory below, without those that are about its own layer. */
function withoutOpaque(layer: ViewedLayer | undefined, inode: ErofsInode | undefined): Buffer | undefined {
  if (!layer || !inode || isWhiteout(inode) || (inode.mode & kind.mask) !== kind.directory) return undefined;
  const xattrs = layer.index.xattrs(inode.nid);
  if (!xattrs) return undefined;
  const kept = new Map([...xattrs].filter(([name]) => !name.startsWith('trusted.overlay.')));
  return kept.size === 0 ? undefined : encodeXattrs(kept);
}
