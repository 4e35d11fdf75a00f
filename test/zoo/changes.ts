/** A base, and changes to it as programs in a container make them. */
import {
  chmodSync,
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { deviceNumber, makeNode, modeType } from '../../src/host/nodes.ts';
import { setXattr } from '../../src/host/xattr.ts';
import { directory, file, hardlink, symlink, tar } from './tar-bytes.ts';

export const changedBase: Buffer = tar(
  directory('.', { mtime: 1_500_000_000 }),
  directory('etc', { mode: 0o1755 }),
  file('etc/kept'),
  file('etc/changed'),
  file('etc/removed'),
  file('etc/linked'),
  hardlink('etc/linked-too', 'etc/linked'),
  directory('gone'),
  file('gone/x'),
  directory('anew'),
  file('anew/old'),
  directory('moved'),
  file('moved/x'),
  directory('becomes-file'),
  file('becomes-directory'),
  symlink('link', 'etc'),
);

/** Changes a mounted tree that is {@link changedBase}. */
export function changeTree(root: string): void {
  const at = (name: string): Buffer => Buffer.from(`${root}/${name}`, 'latin1');
  writeFileSync(at('etc/changed'), 'other');
  writeFileSync(at('etc/new'), 'n'.repeat(100_000));
  unlinkSync(at('etc/removed'));
  chmodSync(at('etc/linked'), 0o4711);
  rmSync(`${root}/gone`, { recursive: true });
  rmSync(`${root}/anew`, { recursive: true });
  mkdirSync(at('anew'));
  writeFileSync(at('anew/fresh'), 'f');
  // Directories of a lower layer are not renamed by overlayfs (EXDEV): programs copy then.
  mkdirSync(at('moved-to'));
  renameSync(at('moved/x'), at('moved-to/x'));
  rmSync(`${root}/becomes-file`, { recursive: true });
  writeFileSync(at('becomes-file'), 'now');
  unlinkSync(at('becomes-directory'));
  mkdirSync(at('becomes-directory'));
  writeFileSync(at('becomes-directory/x'), 'x');
  writeFileSync(at('one'), 'shared');
  linkSync(at('one'), at('two'));
  chownSync(at('one'), 100_000, 4_000_000_000);
  symlinkSync('t'.repeat(300), at('long-link'));
  lutimesSync(at('long-link'), 1, 1);
  mkdirSync(at('n'.repeat(200)));
  writeFileSync(at(`${'n'.repeat(200)}/\xff\xfe`), 'bytes');
  makeNode(at('fifo'), modeType.fifo | 0o640);
  makeNode(at('device'), modeType.character | 0o666, deviceNumber(300, 70_000));
  setXattr(at('etc/new'), 'user.x', Buffer.from([0, 255, 10]));
  setXattr(at('etc/new'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
  unlinkSync(at('link'));
}
