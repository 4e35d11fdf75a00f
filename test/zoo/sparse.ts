/** Sparse files in the four forms that archives know. */
import { createHash } from 'node:crypto';
import type { ZooCase } from './case.ts';
import { base256, directory, header, member, octal, pad, pax, tar } from './tar-bytes.ts';

const root = directory('.', { mode: 0o755, mtime: 1_500_000_000 });

interface Segment {
  readonly offset: number;
  readonly bytes: Buffer;
}

const aligned: readonly Segment[] = [
  { offset: 4096, bytes: Buffer.alloc(4096, 'a') },
  { offset: 65_536, bytes: Buffer.alloc(8192, 'b') },
];
const odd: readonly Segment[] = [
  { offset: 10, bytes: Buffer.alloc(7, 'c') },
  { offset: 5000, bytes: Buffer.alloc(3, 'd') },
  { offset: 9000, bytes: Buffer.alloc(9000, 'e') },
];

function stored(segments: readonly Segment[]): Buffer {
  return Buffer.concat(segments.map(({ bytes }) => bytes));
}

/** GNU's own form; more than four segments need a block behind the header. */
function old(name: string, size: number, segments: readonly Segment[]): Buffer {
  const body = stored(segments);
  const blocks: Buffer[] = [];
  const put = (block: Buffer, start: number, part: readonly Segment[]): void =>
    part.forEach(({ offset, bytes }, index) => {
      octal(block, start + index * 24, 12, offset);
      octal(block, start + index * 24 + 12, 12, bytes.length);
    });
  for (let at = 4; at < segments.length; at += 21) {
    const block = Buffer.alloc(512);
    put(block, 0, segments.slice(at, at + 21));
    block[504] = at + 21 < segments.length ? 1 : 0;
    blocks.push(block);
  }
  const edit = (block: Buffer): void => {
    put(block, 386, segments.slice(0, 4));
    block[482] = blocks.length > 0 ? 1 : 0;
    if (size < 8 ** 11) octal(block, 483, 12, size);
    else base256(block, 483, 12, BigInt(size));
  };
  return Buffer.concat([
    header({ name, type: 'S', magic: 'gnu', size: body.length, edit }),
    ...blocks,
    body,
    pad(body.length),
  ]);
}

function pax00(name: string, size: number, segments: readonly Segment[]): Buffer {
  const map = segments.flatMap(({ offset, bytes }): [string, string][] => [
    ['GNU.sparse.offset', String(offset)],
    ['GNU.sparse.numbytes', String(bytes.length)],
  ]);
  const records: [string, string][] = [
    ['GNU.sparse.size', String(size)],
    ['GNU.sparse.numblocks', String(segments.length)],
    ...map,
  ];
  return Buffer.concat([pax(records), member({ name }, stored(segments))]);
}

function pax01(name: string, size: number, segments: readonly Segment[]): Buffer {
  const map = segments.map(({ offset, bytes }) => `${offset},${bytes.length}`).join(',');
  const records: [string, string][] = [
    ['GNU.sparse.size', String(size)],
    ['GNU.sparse.numblocks', String(segments.length)],
    ['GNU.sparse.map', map],
    ['GNU.sparse.name', name],
  ];
  return Buffer.concat([pax(records), member({ name: 'GNUSparseFile.0/x' }, stored(segments))]);
}

function pax10(name: string, size: number, segments: readonly Segment[]): Buffer {
  const text = Buffer.from(
    [segments.length, ...segments.flatMap(({ offset, bytes }) => [offset, bytes.length])].join('\n') + '\n',
  );
  const records: [string, string][] = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', name],
    ['GNU.sparse.realsize', String(size)],
  ];
  return Buffer.concat([
    pax(records),
    member({ name: 'GNUSparseFile.0/x' }, Buffer.concat([text, pad(text.length), stored(segments)])),
  ]);
}

const many: readonly Segment[] = Array.from({ length: 60 }, (_, index) => ({
  offset: index * 2048 + 1024,
  bytes: Buffer.alloc(512, String(index % 10)),
}));

function line(name: string, size: number, segments: readonly Segment[]): string {
  const content = Buffer.alloc(size);
  for (const { offset, bytes } of segments) bytes.copy(content, offset);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return `/${name} 100644 0:0 mtime=1600000000000000000 size=${size} sha256=${sha256}`;
}

export const sparse: readonly ZooCase[] = [
  {
    name: 'sparse files in the old GNU form, which umoci does not know',
    layers: [tar(root, old('a', 100_000, aligned), old('b-many', 200_000, many), old('c-odd', 18_000, odd))],
    lines: [line('a', 100_000, aligned), line('b-many', 200_000, many), line('c-odd', 18_000, odd)],
  },
  {
    name: 'sparse files on block boundaries, in the PAX forms',
    layers: [
      tar(
        root,
        pax00('v00', 100_000, aligned),
        pax01('v01', 100_000, aligned),
        pax10('v10', 100_000, aligned),
        pax10('v10-many', 200_000, many),
      ),
    ],
  },
  {
    name: 'sparse files off block boundaries, and one that ends within a block',
    layers: [
      tar(
        root,
        pax01('v01', 20_000, odd),
        pax10('v10', 18_000, odd),
        pax10('end', 4196, [{ offset: 4096, bytes: Buffer.alloc(100, 'z') }]),
        pax10('hole', 1_000_000, []),
      ),
    ],
  },
];

/** 9 GB that take 8 KiB. */
export const hugeSparse: { readonly sizeBytes: number; readonly tar: Buffer } = {
  sizeBytes: 9_000_000_000,
  tar: tar(
    root,
    old('huge', 9_000_000_000, [
      { offset: 0, bytes: Buffer.alloc(4096, 'h') },
      { offset: 8_999_997_440, bytes: Buffer.alloc(2560, 't') },
    ]),
  ),
};
