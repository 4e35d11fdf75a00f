/**
 * Turns the members of a layer's tar, in their order, into the tree that they make (OCI image-spec, layer.md). A later member
 * wins over an earlier one of the same path; a directory over a directory keeps what is in it. Members below a symbolic link
 * of this layer land where it leads, inside the root. Whiteouts become overlayfs's character device 0:0 and opaque attribute.
 */
import { EngineError } from '../base/errors.ts';
import { FileTree, type InodeAttributes } from '../formats/erofs/file-tree.ts';
import { blockBytes, encodeDevice } from '../formats/erofs/layout.ts';
import { encodeXattrs, isRepresentableXattr } from '../formats/erofs/xattrs.ts';
import type { TarEntry } from '../formats/tar/entry.ts';
import type { Subject } from '../formats/tar/numbers.ts';
import { type LayerNotes, headBytes } from './layer-file.ts';
import { MemberSubject, splitArchivePath } from './paths.ts';
import { planChunks, type UnalignedFile } from './sparse-chunks.ts';

const type = {
  mask: 0o170000,
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
} as const;

const whiteoutPrefix = '.wh.';
const opaqueName = '.wh..wh..opq';
const opaqueXattr = 'trusted.overlay.opaque';
const linkHopsLimit = 40;
const nodeLimit = 4_000_000;
/** Of names, link targets, attributes and sparse maps together: what a hostile archive may make us remember. */
const retainedBytesLimit = 512 * 1024 * 1024;

/** See the head of this file. */
export class LayerTreeBuilder {
  readonly tree: FileTree = new FileTree();
  /** Sparse files whose parts must be copied to block boundaries. */
  readonly unaligned: UnalignedFile[] = [];
  /** Whether the tar lists the root itself. */
  isRootListed = false;
  /** Whether the tar hides everything below the root. */
  isRootOpaque = false;

  readonly #implied = new Set<number>();
  /** Directories that hide what lower layers have in them. */
  readonly #opaque = new Set<number>();
  readonly #lowerLinks = new Map<string, { readonly inode: number; readonly nodes: number[] }>();
  #whiteoutInode: number | undefined;
  #lastDirectory: { readonly text: string; readonly node: number } | undefined;
  #retainedBytes = 0;

  constructor() {
    this.tree.setInode(FileTree.root, this.tree.addInode(impliedAttributes));
  }

  /** Adds the next member. @throws {EngineError} invalidArgument when it is hostile or cannot be kept. */
  add(entry: TarEntry): void {
    const subject = new MemberSubject(entry.path);
    const names = splitArchivePath(entry.path, subject);
    const name = names.pop();
    this.#retain(entry.path.length + entry.linkTarget.length);
    if (name === undefined) {
      if (entry.type !== 'directory')
        throw new EngineError('invalidArgument', `layer: ${subject.toString()} replaces the root`);
      this.isRootListed = true;
      this.#putDirectory(FileTree.root, this.#attributes(entry, type.directory, subject));
      return;
    }
    const parent = this.#directoryOf(entry.path, names, subject);
    if (name.startsWith(whiteoutPrefix)) this.#addWhiteout(parent, name, subject);
    else this.#addMember(this.tree.ensure(parent, name), entry, subject);
    if (this.tree.nodeCount > nodeLimit) {
      throw new EngineError('invalidArgument', `layer: more than ${nodeLimit} entries`);
    }
  }

  /** Says that all members were added, and returns what a variant must know. */
  finish(): LayerNotes {
    for (const node of this.#opaque) {
      if (node === FileTree.root) this.isRootOpaque = true;
      else if (this.#isDirectory(node)) this.#markOpaque(node);
    }
    const implied = [...this.#implied].filter((node) => this.#isDirectory(node) && this.#isReachable(node));
    const lowerLinks = [...this.#lowerLinks].flatMap(([target, { inode, nodes }]) =>
      nodes
        .filter((node) => this.tree.inodeOf(node) === inode && this.#isReachable(node))
        .map((node) => [this.tree.pathOf(node), target] as const),
    );
    return { implied: implied.map((node) => this.tree.pathOf(node)), lowerLinks };
  }

  #retain(bytes: number): void {
    this.#retainedBytes += bytes;
    if (this.#retainedBytes > retainedBytesLimit) {
      throw new EngineError('invalidArgument', 'layer: names and attributes take more than 512 MiB');
    }
  }

  #isDirectory(node: number): boolean {
    const inode = this.tree.inodeOf(node);
    return inode !== undefined && (this.tree.modeOf(inode) & type.mask) === type.directory;
  }

  #isReachable(node: number): boolean {
    for (let at = node; at !== FileTree.root; at = this.tree.parentOf(at)) {
      if (this.tree.inodeOf(at) === undefined) return false;
    }
    return true;
  }

  #directoryOf(path: string, names: readonly string[], subject: Subject): number {
    const trimmed = path.endsWith('/') ? path.slice(0, -1) : path;
    const text = trimmed.slice(0, trimmed.lastIndexOf('/') + 1);
    if (this.#lastDirectory?.text === text) return this.#lastDirectory.node;
    const node = this.#walk(names, subject, true);
    if (node === undefined) throw new EngineError('internal', `layer: no directory for ${subject.toString()}`);
    this.#lastDirectory = { text, node };
    return node;
  }

  /** Follows names from the root, symbolic links included; makes what is missing, or returns `undefined`. */
  #walk(names: readonly string[], subject: Subject, make: boolean): number | undefined {
    const left = names.toReversed();
    let node: number = FileTree.root;
    let hops = 0;
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (name === '..') {
        node = this.tree.parentOf(node);
        continue;
      }
      const child = make ? this.tree.ensure(node, name) : this.tree.find(node, name);
      const inode = child === undefined ? undefined : this.tree.inodeOf(child);
      if (child === undefined || (inode === undefined && !make)) return undefined;
      if (inode === undefined || inode === this.#whiteoutInode) {
        if (!make) return undefined;
        this.#putImplied(child, inode !== undefined);
        node = child;
        continue;
      }
      const kind = this.tree.modeOf(inode) & type.mask;
      if (kind === type.directory) node = child;
      else if (kind === type.symlink) {
        if (++hops > linkHopsLimit)
          throw new EngineError('invalidArgument', `layer: ${subject.toString()} lies below a link loop`);
        const target = this.tree.attributesOf(inode).linkTarget ?? '';
        if (target.startsWith('/')) node = FileTree.root;
        for (const part of target.split('/').toReversed()) if (part !== '' && part !== '.') left.push(part);
        if (left.length > 4096)
          throw new EngineError('invalidArgument', `layer: ${subject.toString()} lies below a link loop`);
      } else if (make)
        throw new EngineError(
          'invalidArgument',
          `layer: ${subject.toString()} lies below something that is no directory`,
        );
      else return undefined;
    }
    return node;
  }

  #putImplied(node: number, wasWhiteout: boolean): void {
    this.tree.setInode(node, this.tree.addInode(impliedAttributes));
    this.#lastDirectory = undefined;
    if (wasWhiteout) this.#opaque.add(node);
    else {
      this.#opaque.delete(node);
      this.#implied.add(node);
    }
  }

  #addWhiteout(parent: number, name: string, subject: Subject): void {
    if (name === opaqueName) {
      this.#opaque.add(parent);
      return;
    }
    const hidden = name.slice(whiteoutPrefix.length);
    // Other .wh..wh. names were aufs's own book-keeping; Docker passes over them too.
    if (hidden.startsWith(whiteoutPrefix)) return;
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new EngineError('invalidArgument', `layer: ${subject.toString()} is a whiteout of nothing`);
    }
    const node = this.tree.ensure(parent, hidden);
    if (this.tree.inodeOf(node) === undefined) {
      this.#whiteoutInode ??= this.tree.addInode({ ...impliedAttributes, mode: type.character });
      this.tree.setInode(node, this.#whiteoutInode);
    } else if (this.#isDirectory(node)) {
      // Whiteouts hide lower layers only, so what this layer has of that name stays, with nothing shining through.
      this.#opaque.add(node);
      this.#implied.delete(node);
    }
  }

  #addMember(node: number, entry: TarEntry, subject: Subject): void {
    if (entry.type === 'hardlink') {
      this.#addHardLink(node, entry, subject);
      return;
    }
    const attributes = this.#attributes(entry, memberMode(entry.type), subject);
    if (entry.type === 'directory') {
      this.#putDirectory(node, attributes);
      return;
    }
    this.#putFile(node, this.tree.addInode(this.#withContent(attributes, entry, subject)));
    if (entry.segments) this.#setSegments(node, entry, subject);
  }

  #putDirectory(node: number, attributes: InodeAttributes): void {
    const inode = this.tree.inodeOf(node);
    this.#implied.delete(node);
    if (inode !== undefined && this.#isDirectory(node)) {
      this.tree.setAttributes(inode, attributes);
      return;
    }
    const isHidden = inode !== undefined && inode === this.#whiteoutInode;
    this.#lastDirectory = undefined;
    this.tree.setInode(node, this.tree.addInode(attributes));
    if (isHidden) this.#opaque.add(node);
    else this.#opaque.delete(node);
  }

  #putFile(node: number, inode: number): void {
    if (this.tree.inodeOf(node) !== undefined) {
      this.#lastDirectory = undefined;
      if (this.#isDirectory(node)) this.tree.clearBelow(node);
    }
    this.tree.setInode(node, inode);
  }

  #addHardLink(node: number, entry: TarEntry, subject: Subject): void {
    const names = splitArchivePath(entry.linkTarget, `${subject.toString()}: its target`);
    const name = names.pop();
    if (name === undefined)
      throw new EngineError('invalidArgument', `layer: ${subject.toString()} is a hard link to the root`);
    const parent = this.#walk(names, subject, false);
    const target = parent === undefined ? undefined : this.tree.find(parent, name);
    const inode = target === undefined ? undefined : this.tree.inodeOf(target);
    if (target === node && inode !== undefined) return;
    if (target === undefined || inode === undefined || inode === this.#whiteoutInode) {
      this.#addLowerLink(node, [...names, name].join('/'));
      return;
    }
    if (this.#isDirectory(target))
      throw new EngineError('invalidArgument', `layer: ${subject.toString()} is a hard link to a directory`);
    this.#putFile(node, inode);
  }

  /** The target lies in a layer below: an empty file stands for it until a variant knows the chain. */
  #addLowerLink(node: number, target: string): void {
    let link = this.#lowerLinks.get(target);
    if (!link) {
      link = { inode: this.tree.addInode({ ...impliedAttributes, mode: type.file }), nodes: [] };
      this.#lowerLinks.set(target, link);
    }
    link.nodes.push(node);
    this.#putFile(node, link.inode);
  }

  #attributes(entry: TarEntry, mode: number, subject: Subject): InodeAttributes {
    for (const id of [entry.uid, entry.gid]) {
      if (id < 0 || id > 0xffff_fffe)
        throw new EngineError('invalidArgument', `layer: ${subject.toString()} has owner ${id}`);
    }
    const xattrs = this.#xattrs(entry, subject);
    this.#retain(xattrs?.length ?? 0);
    return {
      // Links have no permissions of their own.
      mode: mode === type.symlink ? mode | 0o777 : mode | entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      mtimeSeconds: entry.mtimeSeconds,
      mtimeNanoseconds: entry.mtimeNanoseconds,
      sizeBytes: 0,
      location: 0,
      xattrs,
    };
  }

  #xattrs(entry: TarEntry, subject: Subject): Buffer | undefined {
    // overlayfs's own attributes would redirect a directory to another or hide files: only whiteouts may do that.
    const kept = [...(entry.xattrs ?? [])].filter(([name]) => isRepresentableXattr(name) && !isOverlayXattr(name));
    if (kept.length === 0) return undefined;
    try {
      return encodeXattrs(new Map(kept));
    } catch (error) {
      throw new EngineError('invalidArgument', `layer: ${subject.toString()}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  #withContent(attributes: InodeAttributes, entry: TarEntry, subject: Subject): InodeAttributes {
    switch (entry.type) {
      case 'symlink':
        if (entry.linkTarget === '' || entry.linkTarget.length > 4095) {
          throw new EngineError('invalidArgument', `layer: ${subject.toString()} has an unusable link target`);
        }
        return { ...attributes, linkTarget: entry.linkTarget };
      case 'character':
      case 'block':
        return { ...attributes, location: deviceOf(entry, subject) };
      case 'file': {
        const location = entry.sizeBytes === 0 ? 0 : (headBytes + entry.dataOffset) / blockBytes;
        if (location >= 0xffff_ffff) throw new EngineError('invalidArgument', 'layer: larger than 2 TiB');
        return { ...attributes, sizeBytes: entry.sizeBytes, location };
      }
      default:
        return attributes;
    }
  }

  #setSegments(node: number, entry: TarEntry, subject: Subject): void {
    const inode = this.tree.inodeOf(node);
    if (inode === undefined || entry.sizeBytes === 0) return;
    const plan = planChunks(entry, headBytes, subject);
    this.#retain(plan.blocks.length * 4);
    this.tree.setAttributes(inode, { ...this.tree.attributesOf(inode), location: 0, chunks: plan });
    if (plan.isUnaligned) this.unaligned.push({ chunks: plan, entry });
  }

  #markOpaque(node: number): void {
    const inode = this.tree.inodeOf(node);
    if (inode === undefined) return;
    const attributes = this.tree.attributesOf(inode);
    this.tree.setAttributes(inode, { ...attributes, xattrs: addOpaque(attributes.xattrs) });
  }
}

/** Attributes of a directory that nobody listed. */
export const impliedAttributes: InodeAttributes = {
  mode: 0o040755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  sizeBytes: 0,
  location: 0,
};

function isOverlayXattr(name: string): boolean {
  return name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.');
}

function addOpaque(body: Buffer | undefined): Buffer {
  const opaque = encodeXattrs(new Map([[opaqueXattr, Buffer.from('y')]]));
  return body === undefined ? opaque : Buffer.concat([body, opaque.subarray(12)]);
}

function memberMode(kind: Exclude<TarEntry['type'], 'hardlink'>): number {
  return type[kind];
}

function deviceOf(entry: TarEntry, subject: Subject): number {
  const { deviceMajor: major, deviceMinor: minor } = entry;
  if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff) {
    throw new EngineError('invalidArgument', `layer: ${subject.toString()} has device number ${major}:${minor}`);
  }
  // overlayfs takes it for a whiteout, other tools for a device: no honest archive has it.
  if (major === 0 && minor === 0 && entry.type === 'character') {
    throw new EngineError('invalidArgument', `layer: ${subject.toString()} is a character device 0:0`);
  }
  return encodeDevice(major, minor);
}
