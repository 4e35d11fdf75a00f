/** Blobs that are compressed in unusual ways. */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ZooCase } from './case.ts';
import { directory, file, tar } from './tar-bytes.ts';

const root = directory('.', { mode: 0o755, mtime: 1_500_000_000 });
const plain = tar(root, file('a', 'content '.repeat(20_000)));
const trailing = Buffer.concat([plain, Buffer.from('trailing bytes belong to the diffID')]);
const lines = ['/a 100644 0:0 mtime=1600000000000000000 size=160000'];

export const blobs: readonly ZooCase[] = [
  {
    name: 'gzip in two members',
    layers: [Buffer.concat([gzipSync(plain.subarray(0, 50_000)), gzipSync(plain.subarray(50_000))])],
    tars: [plain],
    lines,
  },
  {
    name: 'gzip with zeros behind it',
    layers: [Buffer.concat([gzipSync(plain), Buffer.alloc(700)])],
    tars: [plain],
    lines,
  },
  { name: 'zstd', layers: [zstdCompressSync(plain)], tars: [plain], lines },
  {
    name: 'zstd in two frames',
    layers: [Buffer.concat([zstdCompressSync(plain.subarray(0, 50_000)), zstdCompressSync(plain.subarray(50_000))])],
    tars: [plain],
    lines,
  },
  { name: 'not compressed', layers: [plain], tars: [plain], lines },
  { name: 'bytes behind the end blocks', layers: [gzipSync(trailing)], tars: [trailing], lines },
];
