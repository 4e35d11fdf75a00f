/** Layers whose members replace, imply or refer to others. */
import type { ZooCase } from './case.ts';
import { directory, file, hardlink, pax, symlink, tar } from './tar-bytes.ts';

const root = directory('.', { mode: 0o755, mtime: 1_500_000_000 });

export const replaced: readonly ZooCase[] = [
  {
    name: 'the same path twice: the later one wins',
    layers: [
      tar(root, file('a', 'first', { mode: 0o600 }), hardlink('kept', 'a'), file('a', 'second', { mode: 0o640 })),
    ],
  },
  {
    name: 'a directory listed twice keeps its content and takes the later attributes',
    layers: [tar(root, directory('d', { mode: 0o700 }), file('d/x'), directory('d', { mode: 0o711, uid: 7 }))],
  },
  {
    name: 'an entry replaced by another type, in one layer',
    layers: [
      tar(
        root,
        directory('d'),
        file('d/x'),
        file('d', 'now a file'),
        file('f'),
        directory('f'),
        file('f/inside'),
        symlink('s', 'f'),
        directory('s'),
        file('s/own'),
      ),
    ],
  },
  {
    name: 'an entry replaced by another type, over layers',
    layers: [
      tar(root, directory('d'), file('d/x'), file('f'), symlink('s', 'f')),
      tar(root, file('d', 'now a file'), directory('f'), file('f/y'), file('s', 'now a file')),
    ],
  },
  {
    name: 'an implied directory keeps the attributes it has below',
    layers: [
      tar(
        root,
        directory('etc', { mode: 0o1750, uid: 5, gid: 6 }),
        pax([['SCHILY.xattr.user.kept', 'yes']]),
        directory('etc/deep', { mode: 0o700, uid: 9 }),
        file('etc/deep/a'),
      ),
      tar(root, file('etc/deep/b')),
    ],
    ignore: { ignoreDirectoryTimes: true, reason: 'an unpacker that makes files in a directory touches it' },
  },
  {
    name: 'implied directories without any below are 0755 root',
    layers: [tar(root, file('a/b/c'))],
    ignore: { ignoreDirectoryTimes: true, reason: 'made at the time of unpacking' },
  },
  {
    name: 'an entry below a symbolic link of a lower layer lands where the link leads',
    layers: [
      tar(
        root,
        directory('run', { mode: 0o711 }),
        directory('var'),
        symlink('var/run', '/run'),
        symlink('up', '../../var'),
      ),
      tar(root, file('var/run/pid'), file('up/log')),
    ],
    ignore: { ignoreDirectoryTimes: true, reason: 'made at the time of unpacking' },
  },
  {
    name: 'a listed directory replaces a symbolic link of a lower layer',
    layers: [
      tar(root, directory('run'), file('run/x'), symlink('link', 'run')),
      tar(root, directory('link', { mode: 0o700 }), file('link/y')),
    ],
    lines: ['/link 40700', '/link/y 100644', '/run 40755', '/run/x 100644'],
  },
  {
    name: 'an entry below a symbolic link of the same layer',
    layers: [
      tar(
        root,
        directory('real'),
        symlink('alias', 'real'),
        file('alias/x'),
        symlink('out', '/real/../real'),
        file('out/y'),
      ),
    ],
    ignore: { ignoreDirectoryTimes: true, reason: 'made at the time of unpacking' },
  },
  {
    name: 'hard links into lower layers, of which one is of a variant',
    layers: [
      tar(root, directory('usr'), file('usr/a', 'content of a', { mode: 0o4755, uid: 3 }), symlink('usr/s', 'a')),
      tar(root, hardlink('b', 'usr/a'), hardlink('b2', '/usr/a'), hardlink('s2', 'usr/s')),
      tar(root, hardlink('c', 'b'), file('usr/new')),
    ],
    ignore: {
      ignoreLinks: true,
      ignoreDirectoryTimes: true,
      reason: 'overlayfs cannot link over layers: it is a copy that shares the bytes',
    },
  },
  {
    name: 'an opaque root hides all layers below',
    layers: [
      tar(root, file('old'), directory('d')),
      tar(directory('.', { mode: 0o711 }), file('.wh..wh..opq', ''), file('new')),
    ],
  },
];
