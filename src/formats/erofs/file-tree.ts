/**
 * A tree of files in memory, made for millions of entries: names lie in one buffer, everything else in columns of numbers.
 * A *node* is a name in a directory, an *inode* what it stands for; several nodes may share one. A node is never taken out of
 * its directory's list: it is emptied, and may be filled again.
 */
import { randomInt } from 'node:crypto';

/** Attributes and content of an inode. */
export interface InodeAttributes {
  /** With type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly sizeBytes: number;
  /** Of a file: its first block. Of a device: its number. */
  readonly location: number;
  /** Encoded. */
  readonly xattrs?: Buffer | undefined;
  /** Of a symbolic link. */
  readonly linkTarget?: string | undefined;
  /** Of a sparse file. */
  readonly chunks?: ChunkTable | undefined;
}

/** Where the chunks of a sparse file lie. */
export interface ChunkTable {
  /** log2 of the chunk size in blocks. */
  readonly bits: number;
  /** Start block of each chunk, or `holeBlock`. */
  readonly blocks: Uint32Array;
}

const none = 0xffff_ffff;

/** See the head of this file. Node 0 is the root; it is there from the start and has no inode until one is set. */
export class FileTree {
  /** The root's node. */
  static readonly root = 0;

  #nodeCount = 0;
  #parent = new Uint32Array(1024);
  #firstChild = new Uint32Array(1024);
  #nextSibling = new Uint32Array(1024);
  #inode = new Uint32Array(1024);
  #nameStart = new Uint32Array(1024);
  #nameLength = new Uint8Array(1024);
  #names = Buffer.alloc(16 * 1024);
  #namesEnd = 0;

  #slots = new Uint32Array(4096).fill(none);
  readonly #seed = randomInt(0xffff_ffff);

  #inodeCount = 0;
  #numbers = new Float64Array(1024 * columns);
  readonly #xattrs = new Map<number, Buffer>();
  readonly #linkTargets = new Map<number, string>();
  readonly #chunks = new Map<number, ChunkTable>();

  constructor() {
    this.#addNode(none, '');
  }

  /** Nodes ever made. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /** Inodes ever made. */
  get inodeCount(): number {
    return this.#inodeCount;
  }

  /** Whether any inode is sparse. */
  get hasChunks(): boolean {
    return this.#chunks.size > 0;
  }

  /** Returns the node of a name in a directory, empty or not; `undefined` when there never was one. */
  find(parent: number, name: string): number | undefined {
    const node = this.#slots[this.#slotOf(parent, name)];
    return node === none ? undefined : node;
  }

  /** Returns the node of a name in a directory, and makes it, empty, when there is none. */
  ensure(parent: number, name: string): number {
    const slot = this.#slotOf(parent, name);
    const found = this.#slots[slot];
    if (found !== undefined && found !== none) return found;
    const node = this.#addNode(parent, name);
    this.#slots[slot] = node;
    if (this.#nodeCount * 2 > this.#slots.length) this.#rehash();
    return node;
  }

  /** Returns the inode of a node; `undefined` when it is empty. */
  inodeOf(node: number): number | undefined {
    const inode = this.#inode[node];
    return inode === none ? undefined : inode;
  }

  /** Gives a node an inode; what was below it stays. */
  setInode(node: number, inode: number): void {
    this.#inode[node] = inode;
  }

  /** Empties everything below a node. */
  clearBelow(node: number): void {
    const stack = [...this.#childNodes(node)];
    for (let child = stack.pop(); child !== undefined; child = stack.pop()) {
      this.#inode[child] = none;
      for (const grandchild of this.#childNodes(child)) stack.push(grandchild);
    }
  }

  parentOf(node: number): number {
    return node === FileTree.root ? FileTree.root : (this.#parent[node] ?? FileTree.root);
  }

  nameOf(node: number): string {
    const start = this.#nameStart[node] ?? 0;
    return this.#names.toString('latin1', start, start + (this.#nameLength[node] ?? 0));
  }

  pathOf(node: number): string {
    const names: string[] = [];
    for (let at = node; at !== FileTree.root; at = this.parentOf(at)) names.push(this.nameOf(at));
    return names.toReversed().join('/');
  }

  /** Returns the filled nodes of a directory with their names, in byte order. */
  children(node: number): { readonly name: string; readonly node: number }[] {
    const found: { name: string; node: number }[] = [];
    for (const child of this.#childNodes(node)) {
      if (this.#inode[child] !== none) found.push({ name: this.nameOf(child), node: child });
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Makes an inode and returns its number. */
  addInode(attributes: InodeAttributes): number {
    const inode = this.#inodeCount++;
    if (this.#inodeCount * columns > this.#numbers.length) {
      const larger = new Float64Array(this.#numbers.length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.setAttributes(inode, attributes);
    return inode;
  }

  /** Replaces what an inode is. */
  setAttributes(inode: number, attributes: InodeAttributes): void {
    const at = inode * columns;
    this.#numbers[at] = attributes.mode;
    this.#numbers[at + 1] = attributes.uid;
    this.#numbers[at + 2] = attributes.gid;
    this.#numbers[at + 3] = attributes.mtimeSeconds;
    this.#numbers[at + 4] = attributes.mtimeNanoseconds;
    this.#numbers[at + 5] = attributes.sizeBytes;
    this.#numbers[at + 6] = attributes.location;
    setOrDelete(this.#xattrs, inode, attributes.xattrs);
    setOrDelete(this.#linkTargets, inode, attributes.linkTarget);
    setOrDelete(this.#chunks, inode, attributes.chunks);
  }

  attributesOf(inode: number): InodeAttributes {
    const at = inode * columns;
    return {
      mode: this.#numbers[at] ?? 0,
      uid: this.#numbers[at + 1] ?? 0,
      gid: this.#numbers[at + 2] ?? 0,
      mtimeSeconds: this.#numbers[at + 3] ?? 0,
      mtimeNanoseconds: this.#numbers[at + 4] ?? 0,
      sizeBytes: this.#numbers[at + 5] ?? 0,
      location: this.#numbers[at + 6] ?? 0,
      xattrs: this.#xattrs.get(inode),
      linkTarget: this.#linkTargets.get(inode),
      chunks: this.#chunks.get(inode),
    };
  }

  modeOf(inode: number): number {
    return this.#numbers[inode * columns] ?? 0;
  }

  *#childNodes(node: number): Iterable<number> {
    for (let child = this.#firstChild[node] ?? none; child !== none; child = this.#nextSibling[child] ?? none)
      yield child;
  }

  #addNode(parent: number, name: string): number {
    const node = this.#nodeCount++;
    if (node >= this.#parent.length) this.#growNodes();
    if (this.#namesEnd + name.length > this.#names.length) {
      this.#names = Buffer.concat([this.#names], this.#names.length * 2);
    }
    this.#parent[node] = parent;
    this.#inode[node] = none;
    this.#firstChild[node] = none;
    this.#nextSibling[node] = parent === none ? none : (this.#firstChild[parent] ?? none);
    if (parent !== none) this.#firstChild[parent] = node;
    this.#nameStart[node] = this.#namesEnd;
    this.#nameLength[node] = name.length;
    this.#namesEnd += this.#names.write(name, this.#namesEnd, 'latin1');
    return node;
  }

  #growNodes(): void {
    const grow = (column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> => {
      const larger = new Uint32Array(column.length * 2);
      larger.set(column);
      return larger;
    };
    this.#parent = grow(this.#parent);
    this.#firstChild = grow(this.#firstChild);
    this.#nextSibling = grow(this.#nextSibling);
    this.#inode = grow(this.#inode);
    this.#nameStart = grow(this.#nameStart);
    const lengths = new Uint8Array(this.#nameLength.length * 2);
    lengths.set(this.#nameLength);
    this.#nameLength = lengths;
  }

  /** The slot where a name is, or where it belongs. The seed keeps archives from choosing names that collide. */
  #slotOf(parent: number, name: string): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(parent, name) & mask;
    for (;;) {
      const node = this.#slots[slot] ?? none;
      if (node === none || (this.#parent[node] === parent && this.#isNamed(node, name))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #hash(parent: number, name: string): number {
    let hash = Math.imul(this.#seed ^ parent, 0x9e3779b1);
    for (let index = 0; index < name.length; index++) {
      hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
      hash ^= hash >>> 15;
    }
    return hash >>> 0;
  }

  #isNamed(node: number, name: string): boolean {
    if (this.#nameLength[node] !== name.length) return false;
    const start = this.#nameStart[node] ?? 0;
    for (let index = 0; index < name.length; index++) {
      if (this.#names[start + index] !== name.charCodeAt(index)) return false;
    }
    return true;
  }

  #rehash(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2).fill(none);
    const mask = this.#slots.length - 1;
    for (let node = 1; node < this.#nodeCount; node++) {
      let slot = this.#hash(this.#parent[node] ?? 0, this.nameOf(node)) & mask;
      while (this.#slots[slot] !== none) slot = (slot + 1) & mask;
      this.#slots[slot] = node;
    }
  }
}

const columns = 7;

function setOrDelete<T>(map: Map<number, T>, key: number, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
