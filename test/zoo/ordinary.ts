/** Layers with everything that honest images have. */
import type { ZooCase } from './case.ts';
import { base256, directory, file, hardlink, header, longName, member, pax, symlink, tar } from './tar-bytes.ts';

const root = directory('.', { mode: 0o755, mtime: 1_500_000_000 });
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const accessControl = Buffer.from(
  '0200000001000600ffffffff02000400e803000004000400ffffffff10000600ffffffff20000400ffffffff',
  'hex',
);
const manyNames = Array.from({ length: 3000 }, (_, index) => `many/${'#-+!a'[index % 5] ?? ''}file-${index}`);

export const ordinary: readonly ZooCase[] = [
  {
    name: 'files, directories, links, modes with set-user-ID and sticky bits',
    layers: [
      tar(
        root,
        directory('bin', { mode: 0o1777, uid: 5, gid: 6 }),
        file('bin/suid', 'x'.repeat(1000), { mode: 0o6755, uid: 1000, gid: 1001 }),
        file('bin/empty', ''),
        file('bin/block', 'y'.repeat(512), { mode: 0 }),
        symlink('bin/link', 'suid'),
        symlink('dangling', '/no/such/../place'),
        directory('empty', { mode: 0o700 }),
      ),
    ],
  },
  {
    name: 'hard links within a layer, also to a symbolic link',
    layers: [
      tar(
        root,
        directory('a'),
        file('a/one', 'shared', { mode: 0o600 }),
        hardlink('two', 'a/one'),
        hardlink('a/three', './a/one'),
        hardlink('four', '/two'),
        symlink('soft', 'two'),
        hardlink('soft-too', 'soft'),
      ),
    ],
  },
  {
    name: 'whiteouts and opaque directories, before and after their siblings',
    layers: [
      tar(
        root,
        directory('a'),
        file('a/x'),
        file('a/y'),
        directory('b'),
        file('b/x'),
        directory('b/c'),
        file('b/c/z'),
        file('gone'),
      ),
      tar(
        root,
        directory('a', { mode: 0o711 }),
        file('a/.wh.x', ''),
        file('a/new'),
        directory('b'),
        file('b/fresh'),
        file('b/.wh..wh..opq', ''),
        file('.wh.gone', ''),
        file('.wh..wh.plnk', ''),
      ),
    ],
  },
  {
    name: 'a directory whited out and made anew in one layer shows nothing of the old one',
    layers: [
      tar(root, directory('d'), file('d/old'), file('f')),
      tar(root, file('.wh.d', ''), directory('d'), file('d/new'), file('.wh.f', ''), file('f', 'new f')),
    ],
  },
  {
    name: 'extended attributes: user, capability, access control, trusted, empty value',
    layers: [
      tar(
        root,
        pax([['SCHILY.xattr.security.capability', capability]]),
        file('ping', 'p', { mode: 0o755 }),
        pax([
          ['SCHILY.xattr.user.one', 'value'],
          ['SCHILY.xattr.user.bytes', Buffer.from([0, 1, 255, 10, 61])],
          ['SCHILY.xattr.trusted.t', 'x'.repeat(2000)],
        ]),
        directory('d'),
        pax([['SCHILY.xattr.system.posix_acl_access', accessControl]]),
        file('acl', 'a', { mode: 0o664 }),
      ),
    ],
  },
  {
    name: 'device nodes and fifos',
    layers: [
      tar(
        root,
        directory('dev'),
        header({ name: 'dev/null', type: '3', mode: 0o666, major: 1, minor: 3 }),
        header({ name: 'dev/big', type: '3', mode: 0o600, major: 300, minor: 70_000 }),
        header({ name: 'dev/sda', type: '4', mode: 0o660, gid: 6, major: 8, minor: 0 }),
        header({ name: 'dev/zero-block', type: '4', mode: 0o660, major: 0, minor: 0 }),
        header({ name: 'dev/fifo', type: '6', mode: 0o640 }),
      ),
    ],
  },
  {
    name: 'names that are not UTF-8, with newlines, of 255 bytes; paths of 100, 255 and 900 bytes',
    layers: [
      tar(
        root,
        file('\xff\xfe'),
        file('\xff\xfd'),
        file('new\nline'),
        pax([['path', 'n'.repeat(255)]]),
        file('short'),
        file('e'.repeat(100)),
        directory('p'.repeat(100)),
        file(`${'q'.repeat(90)}`, 'prefixed', { prefix: 'p'.repeat(100) }),
        directory('long'),
        longName(`long/${'l'.repeat(200)}`),
        file('cut', 'by L', { magic: 'gnu' }),
        ...Array.from({ length: 4 }, (_, index) => [
          pax([['path', `${`${'d'.repeat(200)}/`.repeat(index + 1)}`]]),
          directory('x'),
        ]).flat(),
        pax([['path', `${`${'d'.repeat(200)}/`.repeat(4)}${'\xe9'.repeat(96)}`]]),
        file('x', 'deep'),
        longName('t'.repeat(2000), 'K'),
        symlink('to-far', 't', { magic: 'gnu' }),
        pax([['linkpath', 'u'.repeat(440)]]),
        symlink('to-near', 'u'),
      ),
    ],
  },
  {
    name: 'owners above 65535 and 2^31, in octal, base 256 and PAX',
    layers: [
      tar(
        root,
        file('octal', 'o', { uid: 100_000, gid: 70_000 }),
        file('binary', 'b', {
          edit: (block) => {
            base256(block, 108, 8, 4_000_000_000n);
            base256(block, 116, 8, 2_147_483_648n);
            base256(block, 124, 12, 1n);
          },
        }),
        pax([
          ['uid', '4294967294'],
          ['gid', '2147483648'],
        ]),
        file('pax', 'p'),
      ),
    ],
  },
  {
    name: 'times before 1970, of 2200, and to the nanosecond',
    layers: [
      tar(
        root,
        pax([['mtime', '-123.5']]),
        file('before'),
        pax([['mtime', '7258118400.000000001']]),
        file('after'),
        pax([['mtime', '1600000000.123456789']]),
        directory('nano'),
        pax([['mtime', '-0.5']]),
        symlink('half', 'before'),
      ),
    ],
  },
  {
    name: 'time of the year 9999',
    layers: [tar(root, pax([['mtime', '253402300799.25']]), file('far', ''))],
    lines: ['/far 100644 0:0 mtime=253402300799250000000'],
    erofsOnly: true,
  },
  {
    name: 'directories of thousands of names that sort before and after the dots',
    layers: [tar(root, directory('many'), ...manyNames.map((name) => file(name, '')))],
  },
  {
    name: 'a layer without members, and one without end blocks',
    layers: [tar(root, file('a')), tar(), Buffer.concat([root, file('b')])],
  },
  {
    name: 'V7 headers, absolute names, double slashes',
    layers: [
      tar(
        root,
        member({ name: 'v7', magic: 'none', type: '\0' }, 'old'),
        member({ name: 'v7dir/', magic: 'none', type: '\0', mode: 0o755 }),
        file('/absolute', 'clamped'),
        file('.//v7dir/./twice', 'slashes'),
      ),
    ],
  },
  {
    name: 'a contiguous file, a volume label, and a global PAX header without effect, as in Go programs',
    layers: [
      tar(
        root,
        header({ name: 'label', type: 'V' }),
        member({ name: 'contiguous', type: '7' }, 'seven'),
        pax(
          [
            ['mtime', '5'],
            ['comment', 'x'],
          ],
          'g',
        ),
        file('plain'),
      ),
    ],
    lines: [
      '/contiguous 100644 0:0 mtime=1600000000000000000 size=5',
      '/plain 100644 0:0 mtime=1600000000000000000 size=5',
    ],
  },
  {
    name: 'a hard link that states a size has no body',
    layers: [tar(root, file('a', 'content'), hardlink('b', 'a', { size: 7 }), file('c'))],
  },
];
