import { EngineError } from '../../base/errors.ts';
import type { TarEntry, TarType } from './entry.ts';
import { headerSum, parseDecimal, parseTime, readNumber, type Subject } from './numbers.ts';
import { parsePaxRecords } from './pax.ts';
import { type PaxSparse, paxSparse, readOldSparseMap, SparseMapReader, validateSegments } from './sparse.ts';

const blockBytes = 512;
/** What a PAX header or a GNU long name may hold. */
const metaBytesLimit = 1024 * 1024;
const emptyBlock = Buffer.alloc(blockBytes);

const memberTypes: ReadonlyMap<string, TarType> = new Map([
  ['0', 'file'],
  ['7', 'file'],
  ['S', 'file'],
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['3', 'character'],
  ['4', 'block'],
  ['5', 'directory'],
  ['6', 'fifo'],
]);

/**
 * Reads the headers of a tar archive as its bytes come by: USTAR, V7, GNU long names, PAX, base-256 numbers, GNU and PAX
 * sparse files. Bodies are passed over, so memory is one header. What Go's reader (and thus Docker) does is done where
 * writers differ: global PAX headers have no effect, only files have bodies, bytes after the end blocks are ignored.
 *
 * `onEntry` is called for each member as soon as its header is complete, in order.
 */
export class TarScanner {
  readonly #onEntry: (entry: TarEntry) => void;
  readonly #block = Buffer.alloc(blockBytes);
  #blockFill = 0;
  #meta: MetaMember | undefined;
  #skip = 0;
  #bodyLeft = 0;
  #offset = 0;
  #zeroBlocks = 0;
  #pending: PendingHeaders = {};
  /** A header whose sparse map is still to come, and what collects it. */
  #sparse: SparseMember | undefined;

  constructor(onEntry: (entry: TarEntry) => void) {
    this.#onEntry = onEntry;
  }

  /** @throws {EngineError} invalidArgument when the archive is malformed; the scanner is of no use then. */
  push(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length) {
      if (this.#zeroBlocks === 2) {
        this.#offset += chunk.length - position;
        return;
      }
      if (this.#skip > 0) position += this.#skipBytes(chunk.length - position);
      else if (this.#meta) position += this.#collectMeta(chunk, position, this.#meta);
      else position += this.#collectBlock(chunk, position);
    }
  }

  /** Says that all bytes have been pushed. @throws {EngineError} invalidArgument when the archive is cut short. */
  end(): void {
    const incomplete =
      this.#blockFill > 0 || this.#bodyLeft > 0 || this.#meta !== undefined || this.#sparse !== undefined;
    if (incomplete || this.#pending.records || this.#pending.longName !== undefined) {
      throw new EngineError('invalidArgument', `tar: archive is cut short at ${this.#offset} bytes`);
    }
  }

  #skipBytes(available: number): number {
    const taken = Math.min(this.#skip, available);
    this.#skip -= taken;
    this.#bodyLeft = Math.max(0, this.#bodyLeft - taken);
    this.#offset += taken;
    return taken;
  }

  #collectMeta(chunk: Buffer, position: number, meta: MetaMember): number {
    const taken = chunk.copy(meta.body, meta.fill, position, position + meta.body.length - meta.fill);
    meta.fill += taken;
    this.#offset += taken;
    if (meta.fill === meta.body.length) {
      this.#meta = undefined;
      this.#skip = padding(meta.body.length);
      this.#takeMeta(meta.kind, meta.body);
    }
    return taken;
  }

  #collectBlock(chunk: Buffer, position: number): number {
    if (this.#blockFill === 0 && chunk.length - position >= blockBytes) {
      this.#offset += blockBytes;
      this.#takeBlock(chunk.subarray(position, position + blockBytes));
      return blockBytes;
    }
    const taken = chunk.copy(this.#block, this.#blockFill, position, position + blockBytes - this.#blockFill);
    this.#blockFill += taken;
    this.#offset += taken;
    if (this.#blockFill === blockBytes) {
      this.#blockFill = 0;
      this.#takeBlock(this.#block);
    }
    return taken;
  }

  #takeBlock(block: Buffer): void {
    if (this.#sparse) {
      if (this.#sparse.map.push(block)) this.#finishSparse(this.#sparse);
      return;
    }
    if (block[0] === 0 && block.equals(emptyBlock)) {
      this.#zeroBlocks++;
      return;
    }
    if (this.#zeroBlocks > 0) throw new EngineError('invalidArgument', 'tar: a header follows a single end block');
    this.#takeHeader(block);
  }

  #takeHeader(header: Buffer): void {
    const where = new Place('header at byte', this.#offset - blockBytes);
    const sum = readNumber(header, 148, 8, where);
    if (sum !== headerSum(header) && sum !== headerSum(header, true)) {
      throw new EngineError('invalidArgument', `tar: wrong checksum in the ${where.toString()}`);
    }
    const kind = String.fromCharCode(header[156] ?? 0);
    if ('xgLK'.includes(kind)) this.#beginMeta(kind, readNumber(header, 124, 12, where), where);
    else if (kind === 'V') this.#skipBody(readNumber(header, 124, 12, where), where);
    else this.#takeMember(header, kind, where);
  }

  #beginMeta(kind: string, size: number, where: Subject): void {
    if (size < 0 || size > metaBytesLimit) {
      throw new EngineError(
        'invalidArgument',
        `tar: extended ${where.toString()} has ${size} bytes, the limit is ${metaBytesLimit}`,
      );
    }
    if (size === 0) return;
    this.#meta = { kind, body: Buffer.alloc(size), fill: 0 };
  }

  #takeMeta(kind: string, body: Buffer): void {
    if (kind === 'x') {
      const { records, repeated } = parsePaxRecords(body);
      this.#pending = { ...this.#pending, records, repeated };
    } else if (kind === 'L') this.#pending = { ...this.#pending, longName: untilNul(body, 0, body.length) };
    else if (kind === 'K') this.#pending = { ...this.#pending, longLink: untilNul(body, 0, body.length) };
    else parsePaxRecords(body);
  }

  #takeMember(header: Buffer, kind: string, where: Subject): void {
    const pending = this.#pending;
    this.#pending = {};
    const sparse = pending.records === undefined ? undefined : paxSparse(pending.records, pending.repeated ?? []);
    if (kind === 'S' || sparse?.mapInData === true) {
      const map = new SparseMapReader(kind === 'S' ? 'blocks' : 'text');
      this.#sparse = { header: Buffer.from(header), pending, map };
      const complete = kind === 'S' && readOldSparseMap(header, map);
      if (complete) this.#finishSparse(this.#sparse);
      return;
    }
    this.#emit(header, kind, pending, sparse, 0, where);
  }

  #finishSparse(state: SparseMember): void {
    this.#sparse = undefined;
    const kind = String.fromCharCode(state.header[156] ?? 0);
    const where = new Place('sparse header before byte', this.#offset);
    if (kind === 'S') {
      const size = readNumber(state.header, 483, 12, where);
      const sparse = { sizeBytes: size, segments: state.map.segments, mapInData: false, name: undefined };
      this.#emit(state.header, kind, state.pending, sparse, 0, where);
      return;
    }
    const declared = paxSparse(state.pending.records ?? new Map<string, string>(), []);
    if (!declared) throw new EngineError('internal', 'tar: sparse state without sparse records');
    this.#emit(
      state.header,
      kind,
      state.pending,
      { ...declared, segments: state.map.segments },
      state.map.bytes,
      where,
    );
  }

  #emit(
    header: Buffer,
    kind: string,
    pending: PendingHeaders,
    sparse: PaxSparse | undefined,
    mapBytes: number,
    where: Subject,
  ): void {
    const records = pending.records;
    const path = sparse?.name ?? merged(pending.longName, records?.get('path'), headerName(header), where);
    const subject = new Place('member', path);
    const type = kind === '\0' ? (path.endsWith('/') ? 'directory' : 'file') : memberTypes.get(kind);
    if (type === undefined)
      throw new EngineError('invalidArgument', `tar: ${subject.toString()} has unknown type ${JSON.stringify(kind)}`);
    const stored = number(records, 'size', header, 124, 12, subject) - mapBytes;
    if (sparse && type === 'file') validateSegments(sparse, stored, subject);
    const time = records?.get('mtime');
    const mtime =
      time === undefined || time === ''
        ? { seconds: readNumber(header, 136, 12, subject), nanoseconds: 0 }
        : parseTime(time, subject);
    const isDevice = type === 'character' || type === 'block';
    const entry: TarEntry = {
      path,
      type,
      mode: readNumber(header, 100, 8, subject) & 0o7777,
      uid: number(records, 'uid', header, 108, 8, subject),
      gid: number(records, 'gid', header, 116, 8, subject),
      mtimeSeconds: mtime.seconds,
      mtimeNanoseconds: mtime.nanoseconds,
      sizeBytes: type === 'file' ? (sparse?.sizeBytes ?? stored) : 0,
      linkTarget:
        type === 'hardlink' || type === 'symlink'
          ? merged(pending.longLink, records?.get('linkpath'), untilNul(header, 157, 100), where)
          : '',
      deviceMajor: isDevice ? readNumber(header, 329, 8, subject) : 0,
      deviceMinor: isDevice ? readNumber(header, 337, 8, subject) : 0,
      xattrs: records === undefined ? undefined : xattrsOf(records),
      dataOffset: this.#offset,
      segments: type === 'file' ? sparse?.segments : undefined,
    };
    // Only files have bodies: other writers' links may state a size, which Go's reader ignores as well.
    if (type === 'file') this.#skipBody(stored, subject);
    this.#onEntry(entry);
  }

  #skipBody(size: number, subject: Subject): void {
    if (size < 0) throw new EngineError('invalidArgument', `tar: ${subject.toString()} has a negative size`);
    this.#bodyLeft = size;
    this.#skip = size + padding(size);
  }
}

/** What an error is about; its text is made only when there is an error. */
class Place {
  readonly #what: string;
  readonly #which: string | number;

  constructor(what: string, which: string | number) {
    this.#what = what;
    this.#which = which;
  }

  toString(): string {
    return `${this.#what} ${JSON.stringify(this.#which)}`;
  }
}

/** Extended headers that wait for the member they belong to. */
interface PendingHeaders {
  readonly records?: Map<string, string>;
  readonly repeated?: readonly (readonly [string, string])[];
  readonly longName?: string;
  readonly longLink?: string;
}

/** The body of an extended header, while it is collected. */
interface MetaMember {
  readonly kind: string;
  readonly body: Buffer;
  fill: number;
}

/** A sparse file's header, while its map is collected. */
interface SparseMember {
  readonly header: Buffer;
  readonly pending: PendingHeaders;
  readonly map: SparseMapReader;
}

function padding(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes;
}

function untilNul(bytes: Buffer, start: number, length: number): string {
  const nul = bytes.indexOf(0, start);
  return bytes.toString('latin1', start, nul < 0 || nul > start + length ? start + length : nul);
}

function headerName(header: Buffer): string {
  const name = untilNul(header, 0, 100);
  // "ustar" and a NUL; GNU's own format has a blank there, and other things in place of the prefix.
  if (header[345] === 0 || header.readUInt32BE(257) !== 0x75737461 || header.readUInt16BE(261) !== 0x7200) return name;
  const isStar = header.toString('latin1', 508, 512) === 'tar\0';
  const prefix = untilNul(header, 345, isStar ? 131 : 155);
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Readers disagree on which of GNU's and PAX's names wins, so an archive that states two different ones is refused. */
function merged(gnu: string | undefined, pax: string | undefined, plain: string, where: Subject): string {
  const record = pax === '' ? undefined : pax;
  if (gnu !== undefined && record !== undefined && gnu !== record) {
    throw new EngineError('invalidArgument', `tar: ${where.toString()} has two different long names`);
  }
  const name = record ?? gnu ?? plain;
  if (name.includes('\0'))
    throw new EngineError('invalidArgument', `tar: a name in the ${where.toString()} holds a NUL`);
  return name;
}

function number(
  records: Map<string, string> | undefined,
  key: string,
  header: Buffer,
  start: number,
  length: number,
  subject: Subject,
): number {
  const record = records?.get(key);
  if (record === undefined || record === '') return readNumber(header, start, length, subject);
  return parseDecimal(record, subject);
}

function xattrsOf(records: ReadonlyMap<string, string>): Map<string, Buffer> | undefined {
  const prefix = 'SCHILY.xattr.';
  let xattrs: Map<string, Buffer> | undefined;
  for (const [key, value] of records) {
    if (!key.startsWith(prefix)) continue;
    xattrs ??= new Map();
    xattrs.set(key.slice(prefix.length), Buffer.from(value, 'latin1'));
  }
  return xattrs;
}
