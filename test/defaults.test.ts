/** What a container may do when nobody said anything: docker's documented defaults, seen from inside. */
import assert from 'node:assert/strict';
import { existsSync, readlinkSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { withoutDocker } from './harness/docker.ts';
import { openWorld, type World } from './harness/world.ts';

describe('defaults of a container', { skip: withoutDocker ?? false }, () => {
  let world: World;
  before(async () => {
    world = await openWorld({ images: ['busybox'] });
    await world.docker.run('pull', '-q', 'busybox');
  });
  after(() => world[Symbol.asyncDispose]());

  const inside = (script: string, ...flags: readonly string[]): Promise<string> =>
    world.docker.run('run', '--rm', ...flags, 'busybox', 'sh', '-c', script);
  const statusOf = async (...flags: readonly string[]): Promise<Map<string, string>> =>
    new Map(
      (await inside('cat /proc/self/status', ...flags)).split('\n').map((line) => {
        const [key = '', value = ''] = line.split(':\t');
        return [key, value.trim()] as const;
      }),
    );

  test('DEF-01: fourteen capabilities, none inherited, none for others than root', async () => {
    const root = await statusOf();
    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) assert.equal(root.get(set), '00000000a80425fb', set);
    for (const set of ['CapInh', 'CapAmb']) assert.equal(root.get(set), '0000000000000000', set);
    const user = await statusOf('--user', '1000');
    for (const set of ['CapPrm', 'CapEff']) assert.equal(user.get(set), '0000000000000000', set);
  });

  test('DEF-02: capabilities added and dropped are exactly those', async () => {
    assert.equal((await statusOf('--cap-drop', 'ALL', '--cap-add', 'CHOWN')).get('CapEff'), '0000000000000001');
    assert.equal((await statusOf('--cap-drop', 'CHOWN')).get('CapEff'), '00000000a80425fa');
    assert.equal((await statusOf('--cap-drop', 'ALL')).get('CapEff'), '0000000000000000');
    assert.equal((await statusOf('--privileged')).get('CapInh'), '0000000000000000');
  });

  test('DEF-03: seccomp is on and refuses', async () => {
    assert.equal((await statusOf()).get('Seccomp'), '2');
    const script =
      'for try in "mount -t tmpfs x /tmp" "umount /proc" "unshare -U true" "unshare -m true" "unshare -n true" ' +
      '"swapon /etc/passwd" "pivot_root / /tmp"; do $try 2>/dev/null && echo "$try works"; done; true';
    assert.equal(await inside(script), '');
    assert.equal((await statusOf('--security-opt', 'seccomp=unconfined')).get('Seccomp'), '0');
    assert.equal((await statusOf('--privileged')).get('Seccomp'), '0');
  });

  test('DEF-05: what the host would tell is hidden', async () => {
    const files = ['interrupts', 'kcore', 'keys', 'latency_stats', 'sched_debug', 'timer_list', 'timer_stats'];
    const read = `for file in ${files.map((name) => `/proc/${name}`).join(' ')}; do if [ -e $file ]; then head -c 1 $file; fi; done`;
    assert.equal(await inside(read), '');
    const folders = ['/proc/acpi', '/proc/asound', '/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap'];
    assert.equal(
      await inside(`for folder in ${folders.join(' ')}; do [ -d $folder ] && ls -A $folder; done; true`),
      '',
    );
    const open = await inside('head -c 1 /proc/interrupts | wc -c', '--security-opt', 'systempaths=unconfined');
    assert.equal(open.trim(), '1');
  });

  test('DEF-06: the kernel is not set up from inside', async () => {
    assert.match(await inside('(echo x > /proc/sys/kernel/hostname) 2>&1; true'), /Read-only file system/);
    const mounts = (await inside('cat /proc/self/mounts')).split('\n').map((line) => line.split(' '));
    for (const place of ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger']
      .map((name) => `/proc/${name}`)
      .filter(existsSync)) {
      const options = mounts.find(([, target]) => target === place)?.[3]?.split(',') ?? [];
      assert.ok(options.includes('ro'), place);
    }
  });

  test('DEF-07: file systems and their options', async () => {
    const lines = (await inside('cat /proc/self/mounts')).split('\n').map((line) => line.split(' '));
    const options = (target: string): readonly string[] => {
      const line = lines.find(([, at]) => at === target);
      assert.ok(line, `${target} is mounted`);
      return [line[2] ?? '', ...(line[3] ?? '').split(',')];
    };
    const has = (target: string, ...wanted: readonly string[]): void => {
      const missing = wanted.filter((option) => !options(target).includes(option));
      assert.deepEqual(missing, [], `${target}: ${options(target).join(',')}`);
    };
    has('/', 'overlay', 'rw');
    has('/proc', 'proc', 'nosuid', 'noexec', 'nodev');
    has('/sys', 'sysfs', 'ro', 'nosuid', 'noexec', 'nodev');
    has('/dev', 'tmpfs', 'nosuid', 'size=65536k', 'mode=755');
    has('/dev/pts', 'devpts', 'nosuid', 'noexec', 'gid=5', 'mode=620', 'ptmxmode=666');
    has('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev');
    has('/dev/shm', 'tmpfs', 'nosuid', 'noexec', 'nodev', 'size=65536k');
    for (const [, target = '', , flags = ''] of lines)
      if (target.startsWith('/sys/fs/cgroup'))
        assert.ok(flags.split(',').includes('ro') || target === '/sys/fs/cgroup', target);
    assert.equal(await inside('stat -c %a /dev/shm'), '1777');
  });

  test('DEF-08: devices', async () => {
    const list =
      'cd /dev; for name in null zero full random urandom tty ptmx pts fuse console; do [ -e $name ] && echo $name; done; true';
    assert.deepEqual((await inside(list)).split('\n'), [
      'null',
      'zero',
      'full',
      'random',
      'urandom',
      'tty',
      'ptmx',
      'pts',
    ]);
    assert.match(await inside('mknod /tmp/disk b 8 0; (cat /tmp/disk) 2>&1; true'), /Operation not permitted/);
  });

  test('DEF-09: namespaces', async () => {
    const kinds = ['mnt', 'net', 'uts', 'pid', 'ipc', 'user'];
    const links = (await inside(kinds.map((kind) => `readlink /proc/self/ns/${kind}`).join('; '))).split('\n');
    for (const [index, kind] of kinds.entries()) {
      const own = readlinkSync(`/proc/self/ns/${kind}`);
      if (kind === 'user') assert.equal(links[index], own);
      else assert.notEqual(links[index], own, kind);
    }
    assert.equal(await inside('readlink /proc/self/ns/net', '--network', 'host'), readlinkSync('/proc/self/ns/net'));
  });

  test('DEF-11: new privileges are forbidden on request', async () => {
    assert.equal((await statusOf()).get('NoNewPrivs'), '0');
    assert.equal((await statusOf('--security-opt', 'no-new-privileges')).get('NoNewPrivs'), '1');
  });

  test('DEF-12: low ports and ping are for everybody inside', async () => {
    const sysctls = 'cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_unprivileged_port_start';
    assert.deepEqual((await inside(sysctls)).split(/\s+/), ['0', '2147483647', '0']);
    const serve = 'httpd -p 80 -h /etc && wget -q -O - http://127.0.0.1:80/passwd | head -1';
    assert.match(await inside(serve, '--user', '1000'), /^root:/);
  });
});
