/**
 * Sparse files in tar archives, all four forms (GNU tar manual, "Storing Sparse Files"): the old GNU header (type S, map in the
 * header and in blocks after it), PAX 0.0 (repeated records), 0.1 (one record) and 1.0 (text in front of the data).
 */
import { EngineError } from '../../base/errors.ts';
import type { SparseSegment } from './entry.ts';
import { parseDecimal, readNumber, type Subject } from './numbers.ts';

const segmentLimit = 1_000_000;

/** What PAX records say of a sparse file. */
export interface PaxSparse {
  readonly sizeBytes: number;
  readonly segments: readonly SparseSegment[];
  /** The map stands in front of the data (1.0). */
  readonly mapInData: boolean;
  readonly name: string | undefined;
}

/** Returns what PAX records say of a sparse file; `undefined` when it is none. @throws {EngineError} invalidArgument */
export function paxSparse(
  records: ReadonlyMap<string, string>,
  repeated: readonly (readonly [string, string])[],
): PaxSparse | undefined {
  const major = records.get('GNU.sparse.major');
  const minor = records.get('GNU.sparse.minor');
  const name = records.get('GNU.sparse.name');
  const size = records.get('GNU.sparse.realsize') ?? records.get('GNU.sparse.size');
  if (major === undefined && size === undefined) return undefined;
  const version = major === undefined ? '0' : `${major}.${minor ?? ''}`;
  if (!['0', '0.0', '0.1', '1.0'].includes(version)) {
    throw new EngineError('invalidArgument', `tar: unknown sparse format ${JSON.stringify(version)}`);
  }
  if (size === undefined) throw new EngineError('invalidArgument', 'tar: sparse file without a size');
  const map = records.get('GNU.sparse.map');
  const numbers = map === undefined ? repeated.map(([, value]) => value) : map.split(',').filter((text) => text !== '');
  const alternates = repeated.every(([key], index) => key.endsWith(index % 2 === 0 ? 'offset' : 'numbytes'));
  if (!alternates || numbers.length % 2 !== 0) throw new EngineError('invalidArgument', 'tar: malformed sparse map');
  return {
    sizeBytes: parseDecimal(size, 'size of a sparse file'),
    segments: version === '1.0' ? [] : pairs(numbers.map((text) => parseDecimal(text, 'sparse map'))),
    mapInData: version === '1.0',
    name,
  };
}

function pairs(numbers: readonly number[]): SparseSegment[] {
  const segments: SparseSegment[] = [];
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    segments.push({ offset: numbers[index] ?? 0, length: numbers[index + 1] ?? 0 });
  }
  return segments;
}

/** Collects a sparse map that comes in blocks: old GNU continuation headers, or the text of 1.0. */
export class SparseMapReader {
  readonly segments: SparseSegment[] = [];
  /** Consumed so far. */
  bytes = 0;
  readonly #form: 'blocks' | 'text';
  #text = '';
  readonly #numbers: number[] = [];

  constructor(form: 'blocks' | 'text') {
    this.#form = form;
  }

  /** Takes the next block; returns whether the map is complete. @throws {EngineError} invalidArgument */
  push(block: Buffer): boolean {
    this.bytes += block.length;
    if (this.#form === 'blocks') {
      this.readPairs(block, 0, 21);
      return block[504] === 0;
    }
    return this.#pushText(block);
  }

  /** Reads pairs of twelve-byte fields. */
  readPairs(block: Buffer, start: number, count: number): void {
    for (let index = 0; index < count; index++) {
      const at = start + index * 24;
      // An unused pair ends the list.
      if (block[at] === 0 && block[at + 12] === 0) return;
      this.#add(readNumber(block, at, 12, 'sparse map'), readNumber(block, at + 12, 12, 'sparse map'));
    }
  }

  #pushText(block: Buffer): boolean {
    this.#text += block.toString('latin1');
    const lines = this.#text.split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      this.#numbers.push(parseDecimal(line, 'sparse map'));
      const count = this.#numbers[0] ?? 0;
      if (count > segmentLimit) throw tooMany();
      if (this.#numbers.length === 1 + 2 * count) {
        for (const segment of pairs(this.#numbers.slice(1))) this.segments.push(segment);
        return true;
      }
    }
    if (this.#text.length > 512) throw new EngineError('invalidArgument', 'tar: malformed sparse map');
    return false;
  }

  #add(offset: number, length: number): void {
    if (this.segments.length >= segmentLimit) throw tooMany();
    this.segments.push({ offset, length });
  }
}

function tooMany(): EngineError {
  return new EngineError('invalidArgument', `tar: a sparse file has more than ${segmentLimit} segments`);
}

/** Reads the map in an old GNU sparse header; returns whether no block of it follows. */
export function readOldSparseMap(header: Buffer, map: SparseMapReader): boolean {
  map.readPairs(header, 386, 4);
  return header[482] === 0;
}

/** @throws {EngineError} invalidArgument when segments overlap, leave the file, or are not what is stored. */
export function validateSegments(sparse: PaxSparse, storedBytes: number, subject: Subject): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of sparse.segments) {
    if (offset < end || length < 0 || offset + length > sparse.sizeBytes) {
      throw new EngineError(
        'invalidArgument',
        `tar: the sparse map of ${subject.toString()} overlaps or leaves the file`,
      );
    }
    end = offset + length;
    sum += length;
  }
  if (sum !== storedBytes) {
    throw new EngineError(
      'invalidArgument',
      `tar: ${subject.toString()} stores ${storedBytes} bytes, its sparse map needs ${sum}`,
    );
  }
}
