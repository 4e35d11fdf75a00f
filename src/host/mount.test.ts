import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { SystemCallError } from './libc.ts';
import { mount, mountOverlay, unmount, unmountFlags } from './mount.ts';
import { parseMountInfo, readMounts } from './mountinfo.ts';
import { deviceNumber, makeNode, modeType, setTimes, splitDeviceNumber } from './nodes.ts';
import { getXattr, listXattrs, readXattrs, removeXattr, setXattr } from './xattr.ts';

const isRoot = process.getuid?.() === 0;
const root = isRoot ? false : 'needs root';

async function withDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp('/var/tmp/slipway-mount-');
  try {
    await body(directory);
  } finally {
    for (const found of (await readMounts()).toReversed()) {
      if (found.mountPoint.startsWith(directory)) await unmount(found.mountPoint, unmountFlags.detach);
    }
    await rm(directory, { recursive: true, force: true });
  }
}

test('mount() reports errno of the failing call', { skip: root }, async () => {
  await assert.rejects(
    mount({ source: 'none', target: '/var/tmp/no such place', type: 'tmpfs' }),
    (error) => error instanceof SystemCallError && error.code === 'ENOENT',
  );
  await assert.rejects(unmount('/var/tmp'), (error) => error instanceof SystemCallError && error.code === 'EINVAL');
});

test('readMounts() finds a mount whose path needs escapes', { skip: root }, async () => {
  await withDirectory(async (directory) => {
    const target = path.join(directory, 'a b\\c\nd é');
    await mkdir(target);
    await mount({ source: 'x y', target, type: 'tmpfs', options: 'size=64k' });
    const found = (await readMounts()).find((entry) => entry.mountPoint === target);
    assert.equal(found?.type, 'tmpfs');
    assert.equal(found.source, 'x y');
    await unmount(target);
    assert.ok(!(await readMounts()).some((entry) => entry.mountPoint === target));
  });
});

test('parseMountInfo() reads optional fields', () => {
  const [entry] = parseMountInfo(
    '36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue\n',
  );
  assert.deepEqual(entry?.propagation, ['shared:1', 'master:2']);
  assert.equal(entry.type, 'ext3');
  assert.deepEqual(entry.superOptions, ['rw', 'errors=continue']);
});

test('mountOverlay() takes odd paths, few lowers and more than fit one page', { skip: root }, async () => {
  await withDirectory(async (directory) => {
    const make = async (name: string): Promise<string> => {
      const made = path.join(directory, name);
      await mkdir(made);
      return made;
    };
    const [upper, work, target] = [await make('upper,1'), await make('work'), await make('target')];
    const lowers: string[] = [];
    for (let index = 0; index < 120; index++) {
      const lower = await make(`lower:${index},x\\y ${'z'.repeat(40)}`);
      await writeFile(path.join(lower, `file${index}`), '');
      await writeFile(path.join(lower, 'top'), 'x'.repeat(index));
      lowers.push(lower);
    }
    for (const count of [2, 120]) {
      await mountOverlay({ lowers: lowers.slice(0, count), upper, work, target, options: ['xino=auto', 'volatile'] });
      assert.equal((await stat(path.join(target, 'top'))).size, count - 1);
      await stat(path.join(target, 'file0'));
      await unmount(target);
      await rm(path.join(work, 'work'), { recursive: true });
    }
  });
});

test('nodes, times and attributes keep bytes, numbers and nanoseconds', { skip: root }, async () => {
  await withDirectory(async (directory) => {
    const name = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0xfe])]);
    makeNode(name, modeType.character | 0o600, deviceNumber(300, 70_000));
    setTimes(name, -5, 123_456_789);
    const status = await stat(name, { bigint: true });
    assert.deepEqual(splitDeviceNumber(status.rdev), { major: 300, minor: 70_000 });
    assert.equal(status.mtimeNs, -5_000_000_000n + 123_456_789n);
    setXattr(name, 'trusted.a', Buffer.from([0, 1]));
    setXattr(name, 'trusted.b', Buffer.alloc(0));
    assert.deepEqual([...listXattrs(name)].toSorted(), ['trusted.a', 'trusted.b']);
    assert.deepEqual(readXattrs(name).get('trusted.a'), Buffer.from([0, 1]));
    removeXattr(name, 'trusted.a');
    assert.equal(getXattr(name, 'trusted.a'), undefined);
    assert.equal(getXattr(name, 'trusted.b')?.length, 0);
  });
});
