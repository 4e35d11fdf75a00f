/** Layers that must be refused as a whole. */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { HostileCase } from './case.ts';
import { base256, directory, file, hardlink, header, longName, member, pax, symlink, tar } from './tar-bytes.ts';

const big = tar(file('a', randomBytes(100_000)));

function plain(name: string, message: RegExp, ...members: readonly Buffer[]): HostileCase {
  return { name, message, blob: tar(...members) };
}

function pax10Map(text: string): Buffer {
  const records: [string, string][] = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.realsize', '10000'],
  ];
  return Buffer.concat([pax(records), member({ name: 'x' }, text.padEnd(512, '\0') + 'd'.repeat(1024))]);
}

export const hostile: readonly HostileCase[] = [
  plain('a name that climbs', /climbs/, file('../../../../etc/passwd', 'x')),
  plain('a name that climbs and comes back', /climbs/, directory('a'), file('a/../../b')),
  plain('a hard link that climbs', /climbs/, hardlink('a', '../../etc/shadow')),
  plain('a hard link to a directory', /hard link to a directory/, directory('d'), hardlink('l', 'd')),
  plain('a hard link to the root', /hard link to the root/, hardlink('l', './')),
  plain('a whiteout of nothing', /whiteout of nothing/, file('.wh.', '')),
  plain('a whiteout of dot', /whiteout of nothing/, directory('d'), file('d/.wh..', '')),
  plain('a whiteout of dot-dot', /whiteout of nothing/, directory('d'), file('d/.wh...', '')),
  plain('a smuggled whiteout', /character device 0:0/, header({ name: 'w', type: '3', major: 0, minor: 0 })),
  plain('the root as a file', /replaces the root/, file('.', 'x')),
  plain('a member below a file', /no directory/, file('f'), file('f/x')),
  plain('a loop of links', /link loop/, symlink('a', 'b'), symlink('b', 'a'), file('a/x')),
  plain('a link that doubles', /link loop/, symlink('a', 'a/a'), file('a/x')),
  plain('a name of 256 bytes', /longer than 255/, pax([['path', 'n'.repeat(256)]]), file('x')),
  plain('a path of 5000 bytes', /longer than 4096/, pax([['path', 'n/'.repeat(2500)]]), file('x')),
  plain('a NUL in a PAX path', /NUL/, pax([['path', 'a\0b']]), file('x')),
  plain('two different long names', /two different/, longName('one'), pax([['path', 'two']]), file('x')),
  plain('an owner of 2^32', /owner/, pax([['uid', '4294967296']]), file('x')),
  plain('a huge extended attribute', /cannot be kept/, pax([['SCHILY.xattr.user.x', 'v'.repeat(70_000)]]), file('x')),
  plain('a PAX header of 2 MiB', /limit/, pax([['comment', 'c'.repeat(2 * 1024 * 1024)]]), file('x')),
  plain(
    'a PAX record that lies about its length',
    /malformed PAX/,
    member({ name: 'p', type: 'x' }, '99 path=x\n'),
    file('x'),
  ),
  plain('a negative size', /negative|too large/, header({ name: 'x', edit: (block) => block.fill(0xff, 124, 136) })),
  plain('a size of 2^70', /too large/, header({ name: 'x', edit: (block) => base256(block, 124, 12, 1n << 70n) })),
  plain('a size that is no number', /octal/, header({ name: 'x', edit: (block) => block.write('12z', 124, 'latin1') })),
  plain('a wrong checksum', /checksum/, header({ name: 'x', spoil: (block) => block.write('y', 0, 'latin1') })),
  plain('an unknown type', /unknown type/, header({ name: 'x', type: 'Z' })),
  plain('a multi-volume member', /unknown type/, header({ name: 'x', type: 'M' })),
  plain('a device number out of range', /device number/, header({ name: 'x', type: '4', major: 5000, minor: 1 })),
  plain('a sparse map that overlaps', /overlaps/, pax10Map('2\n0\n512\n256\n512\n')),
  plain('a sparse map that leaves the file', /overlaps or leaves/, pax10Map('2\n0\n512\n9999\n512\n')),
  plain('a sparse map that needs more than is stored', /needs/, pax10Map('1\n0\n9000\n')),
  plain('a sparse map that is no text', /sparse map|not a number/, pax10Map('x'.repeat(512))),
  plain(
    'an unknown sparse format',
    /unknown sparse/,
    pax([
      ['GNU.sparse.major', '7'],
      ['GNU.sparse.minor', '7'],
    ]),
    file('x'),
  ),
  plain('a header after a single end block', /single end block/, Buffer.alloc(512), file('x')),
  { name: 'a body that ends early', message: /cut short/, blob: file('a', 'x'.repeat(2000)).subarray(0, 1500) },
  {
    name: 'a header that ends early',
    message: /cut short/,
    blob: Buffer.concat([file('a'), header({ name: 'b' }).subarray(0, 300)]),
  },
  { name: 'an extended header without its member', message: /cut short/, blob: pax([['path', 'x']]) },
  { name: 'not a tar at all', message: /octal|checksum/, blob: Buffer.alloc(4096, 'text ') },
  { name: 'gzip that is cut', message: /cut short|corrupt/, blob: gzipSync(big).subarray(0, -20), tar: big },
  {
    name: 'gzip with a flipped bit',
    message: /corrupt|checksum|octal|digest/,
    blob: Buffer.from(gzipSync(big)).map((byte, index) => (index === 5000 ? byte ^ 1 : byte)) as Buffer,
    tar: big,
  },
  { name: 'xz', message: /xz is not supported/, blob: Buffer.from('fd377a585a000000', 'hex') },
  { name: 'another tar than promised', message: /digest/, blob: gzipSync(big), tar: tar(file('b')) },
  { ...plain('a hard link to nothing', /no layer below/, hardlink('a', 'no/such')), late: true },
];
