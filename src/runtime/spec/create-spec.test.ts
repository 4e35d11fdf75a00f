import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { compileSeccomp } from '../seccomp.ts';
import { effectiveCapabilities } from './capabilities.ts';
import { createSpec } from './create-spec.ts';
import { deviceNumbers, parseDeviceRule } from './devices.ts';
import type { SpecInput } from './input.ts';
import { createSeccomp } from './seccomp-profile.ts';
import { resolveUser, resolveUserIn } from './user.ts';

const minimal: SpecInput = {
  id: 'one',
  runtime: 'crun',
  cgroupsPath: '/slipway/one',
  hostname: 'host',
  rootfs: '/root',
  process: { args: ['sh'], env: [], user: { uid: 0, gid: 0 }, terminal: false },
  namespaces: { network: { kind: 'none' } },
};
const environment = { cgroupVersion: 1 } as const;

test('createSpec() gives Docker’s defaults', () => {
  const spec = createSpec(minimal, environment);
  assert.equal(spec.process.capabilities.bounding.length, 14);
  assert.deepEqual([spec.process.capabilities.inheritable, spec.process.capabilities.ambient], [[], []]);
  assert.deepEqual(
    spec.mounts.map(({ destination }) => destination),
    ['/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/dev/shm'],
  );
  assert.deepEqual(
    spec.linux.namespaces.map(({ type }) => type),
    ['mount', 'network', 'uts', 'pid', 'ipc'],
  );
  assert.ok(spec.linux.maskedPaths?.includes('/proc/kcore'));
  assert.ok(spec.linux.readonlyPaths?.includes('/proc/sys'));
  assert.deepEqual(spec.linux.resources.devices[0], { allow: false, access: 'rwm' });
  assert.equal(spec.linux.sysctl?.['net.ipv4.ip_unprivileged_port_start'], '0');
  assert.equal(spec.linux.seccomp?.defaultErrnoRet, 1);
  assert.equal(createSpec(minimal, { cgroupVersion: 2 }).linux.namespaces.at(-1)?.type, 'cgroup');
});

test('createSpec() drops the runtime’s own annotations and gives crun the compiled filter', () => {
  const annotations = { 'run.oci.seccomp_bpf_data': 'AAAA', 'run.oci.hooks': 'x', mine: 'y' };
  const plain = createSpec({ ...minimal, annotations }, environment);
  assert.deepEqual(plain.annotations, { mine: 'y' });
  const compiled = createSpec(minimal, { ...environment, compileSeccomp: () => 'BPF' });
  assert.deepEqual([compiled.annotations, compiled.linux.seccomp], [{ 'run.oci.seccomp_bpf_data': 'BPF' }, undefined]);
  const forRunc = createSpec({ ...minimal, runtime: 'runc' }, { ...environment, compileSeccomp: () => 'BPF' });
  assert.ok(forRunc.linux.seccomp);
});

test('createSpec() of a privileged container hides nothing', () => {
  const spec = createSpec(
    { ...minimal, privileged: true, availableCapabilities: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] },
    environment,
  );
  assert.deepEqual(spec.process.capabilities.effective, ['CAP_CHOWN', 'CAP_SYS_ADMIN']);
  assert.deepEqual([spec.linux.maskedPaths, spec.linux.readonlyPaths, spec.linux.seccomp], [[], [], undefined]);
  assert.deepEqual(spec.linux.resources.devices, [{ allow: true, access: 'rwm' }]);
  assert.ok(spec.mounts.find(({ destination }) => destination === '/sys')?.options.includes('rw'));
});

test('own mounts replace default ones and come parents first', () => {
  const spec = createSpec(
    {
      ...minimal,
      mounts: [
        { type: 'bind', source: '/b', target: '/a/b', readOnly: true },
        { type: 'tmpfs', target: '/a/', options: ['exec', 'size=1m'] },
        { type: 'bind', source: '/shm', target: '/dev/shm', recursive: false },
      ],
    },
    environment,
  );
  const own = spec.mounts.slice(-3);
  assert.deepEqual(
    own.map(({ destination }) => destination),
    ['/a', '/a/b', '/dev/shm'],
  );
  assert.deepEqual(own[0]?.options, ['nosuid', 'nodev', 'exec', 'size=1m']);
  assert.deepEqual(own[1]?.options, ['rbind', 'ro', 'rprivate']);
  assert.equal(spec.mounts.filter(({ destination }) => destination === '/dev/shm').length, 1);
  const bad = (target: string): SpecInput => ({ ...minimal, mounts: [{ type: 'bind', source: '/', target }] });
  for (const target of ['relative', '/', '/a/..']) {
    assert.throws(() => createSpec(bad(target), environment), { kind: 'invalidArgument' });
  }
});

test('effectiveCapabilities() adds and drops as Docker does', () => {
  const count = (add: string[], drop: string[]): number => effectiveCapabilities({ add, drop }, false).length;
  assert.deepEqual(
    [count([], []), count(['ALL'], []), count([], ['ALL']), count(['net_admin'], ['CAP_CHOWN'])],
    [14, 41, 0, 14],
  );
  assert.deepEqual(effectiveCapabilities({ add: ['SYS_TIME'], drop: ['all'] }, false), ['CAP_SYS_TIME']);
  assert.throws(() => effectiveCapabilities({ add: ['NOPE'], drop: [] }, false), /invalid capability: "NOPE"/);
});

test('the default filter opens with capabilities, and other profiles are resolved', () => {
  const names = (capabilities: string[]): Set<string> =>
    new Set(
      createSeccomp('default', { capabilities })
        ?.syscalls.filter(({ args }) => !args)
        .flatMap((rule) => rule.names),
    );
  assert.ok(
    !names([]).has('mount') && !names([]).has('keyctl') && !names([]).has('io_uring_setup') && names([]).has('ptrace'),
  );
  assert.ok(names(['CAP_SYS_ADMIN']).has('mount') && names(['CAP_SYS_ADMIN']).has('clone'));
  const rules = [
    { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, excludes: { caps: ['CAP_SYS_ADMIN'] } },
    { name: 'ptrace', action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
  ];
  const profile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: rules };
  const resolved = createSeccomp(profile, { capabilities: [], kernelRelease: '4.4.0-x' });
  assert.deepEqual(
    resolved?.syscalls.map((rule) => rule.names),
    [['clone3']],
  );
  assert.equal(createSeccomp('unconfined', { capabilities: [] }), undefined);
});

test('compileSeccomp() compiles once, and leaves to the runtime what it cannot do', () => {
  const filter = createSeccomp('default', { capabilities: [] });
  assert.ok(filter);
  const compiled = compileSeccomp(filter);
  if (compiled !== undefined) assert.equal(Buffer.from(compiled, 'base64').length % 8, 0);
  assert.equal(compileSeccomp(filter), compiled);
  assert.equal(compileSeccomp({ ...filter, flags: ['SECCOMP_FILTER_FLAG_LOG'] }), undefined);
});

test('resolveUserIn() follows Docker’s rules and words', () => {
  const passwd = ['root:x:0:0:root:/root:/bin/sh', 'app:x:1000:1001::/home/app:/bin/sh', 'broken', '77:x:5:6::/n:/'];
  const group = ['root:x:0:', 'app:x:1001:', 'wheel:x:10:root,app', 'audio:x:29:app'];
  const ids = (user: string, added: string[] = []): unknown[] => {
    const { uid, gid, additionalGids, home } = resolveUserIn(passwd, group, user, added);
    return [uid, gid, additionalGids, home];
  };
  assert.deepEqual(ids(''), [0, 0, [0, 10], '/root']);
  assert.deepEqual(ids('app'), [1000, 1001, [1001, 10, 29], '/home/app']);
  assert.deepEqual(ids('1000'), [1000, 1001, [1001, 10, 29], '/home/app']);
  assert.deepEqual(ids('app:wheel'), [1000, 10, [10], '/home/app']);
  assert.deepEqual(ids('4242'), [4242, 0, [0], '/']);
  assert.deepEqual(ids('4242:77', ['audio', '5']), [4242, 77, [77, 29, 5], '/']);
  assert.deepEqual(ids('77'), [5, 6, [6], '/n']);
  assert.throws(() => ids('nobody'), /unable to find user nobody: no matching entries in passwd file/);
  assert.throws(() => ids('app:nope'), /unable to find group nope: no matching entries in group file/);
  for (const wrong of ['4294967296', '-1', '2147483648'])
    assert.throws(() => ids(wrong), /uids and gids must be in range/);
});

test('resolveUser() reads inside the root file system only', () => {
  const directory = mkdtempSync('/var/tmp/slipway-user-');
  try {
    const rootfs = path.join(directory, 'rootfs');
    mkdirSync(path.join(rootfs, 'etc'), { recursive: true });
    mkdirSync(path.join(rootfs, 'real'));
    writeFileSync(path.join(directory, 'passwd'), 'evil:x:1:1::/:/\n');
    symlinkSync('../../passwd', path.join(rootfs, 'etc/passwd'));
    assert.throws(() => resolveUser(rootfs, 'evil'), /unable to find user evil/);
    rmSync(path.join(rootfs, 'etc/passwd'));
    writeFileSync(path.join(rootfs, 'real/passwd'), 'good:x:7:8::/:/\n');
    symlinkSync('/real/passwd', path.join(rootfs, 'etc/passwd'));
    assert.equal(resolveUser(rootfs, 'good').uid, 7);
    rmSync(path.join(rootfs, 'etc/passwd'));
    symlinkSync('/dev', path.join(rootfs, 'etc/passwd'));
    mkdirSync(path.join(rootfs, 'dev'));
    assert.throws(() => resolveUser(rootfs, 'x'), /not a regular file/);
    rmSync(path.join(rootfs, 'etc/passwd'));
    writeFileSync(path.join(rootfs, 'etc/passwd'), 'x'.repeat(5 * 1024 * 1024));
    assert.throws(() => resolveUser(rootfs, 'x'), /larger than/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('device numbers and rules are those of the kernel', () => {
  assert.deepEqual(deviceNumbers(0x103), { major: 1, minor: 3 });
  assert.deepEqual(deviceNumbers(1_114_924), { major: 259, minor: 300 });
  assert.deepEqual(parseDeviceRule('c *:5 rw'), { allow: true, type: 'c', minor: 5, access: 'rw' });
  assert.throws(() => parseDeviceRule('x 1:1 rw'), /invalid device cgroup rule/);
});
