import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Cgroup, parseCgroupLayout } from './cgroup.ts';
import { readStatistics } from './statistics.ts';

function mounts(lines: readonly (readonly [string, string, string])[]): string {
  return lines
    .map(
      ([at, type, options], index) => `${index + 20} 1 0:${index} / ${at} rw,relatime - ${type} ${type} rw,${options}`,
    )
    .join('\n');
}

test('parseCgroupLayout() tells v1, hybrid and v2 apart', () => {
  const v1 = [
    ['/sys/fs/cgroup/memory', 'cgroup', 'memory'],
    ['/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'cpu,cpuacct'],
    ['/sys/fs/cgroup/systemd', 'cgroup', 'name=systemd'],
  ] as const;
  const old = parseCgroupLayout(mounts(v1));
  assert.deepEqual(
    [old.version, old.hierarchies.get('cpuacct'), old.unified],
    [1, '/sys/fs/cgroup/cpu,cpuacct', undefined],
  );
  const hybrid = parseCgroupLayout(mounts([...v1, ['/sys/fs/cgroup/unified', 'cgroup2', '']]));
  assert.deepEqual([hybrid.version, hybrid.unified], [1, '/sys/fs/cgroup/unified']);
  const unified = parseCgroupLayout(mounts([['/sys/fs/cgroup', 'cgroup2', 'nsdelegate']]));
  assert.deepEqual([unified.version, unified.hierarchies.size, unified.unified], [2, 0, '/sys/fs/cgroup']);
  assert.throws(() => parseCgroupLayout(''), { kind: 'failedPrecondition' });
});

test('Cgroup works on a v2 tree', async () => {
  const root = mkdtempSync('/var/tmp/slipway-cgroup-');
  try {
    const directory = path.join(root, 'parent/one');
    mkdirSync(path.join(directory, 'nested'), { recursive: true });
    const write = (name: string, text: string): void => writeFileSync(path.join(directory, name), text);
    write('memory.events', 'low 0\noom 2\noom_kill 3\n');
    write('cgroup.procs', '10\n11\n');
    write('nested/cgroup.procs', '12\n');
    write('cgroup.events', 'populated 1\nfrozen 1\n');
    write('cgroup.freeze', '0');
    write('cgroup.kill', '');
    write('cpu.stat', 'usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 7\nnr_throttled 1\nthrottled_usec 9\n');
    write('memory.current', '4096\n');
    write('memory.max', 'max\n');
    write('memory.stat', 'anon 1\nfile 2\n');
    write('pids.current', '3\n');
    write('pids.max', '100\n');
    write('io.stat', '254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n');
    const cgroup = new Cgroup({ version: 2, hierarchies: new Map(), unified: root }, '/parent/one');
    assert.equal(cgroup.oomKills(), 3);
    assert.deepEqual(cgroup.pids(), [10, 11, 12]);
    await cgroup.freeze(true);
    assert.equal(readFileSync(path.join(directory, 'cgroup.freeze'), 'utf8'), '1');
    cgroup.kill();
    assert.equal(readFileSync(path.join(directory, 'cgroup.kill'), 'utf8'), '1');
    const { cpu, memory, pids, blockBytes, blockOperations } = readStatistics(cgroup);
    assert.deepEqual([cpu.totalNs, cpu.userNs, cpu.systemNs, cpu.throttledNs], [5000, 3000, 2000, 9000]);
    assert.deepEqual(memory, { usageBytes: 4096, details: { anon: 1, file: 2 } });
    assert.deepEqual(pids, { current: 3, limit: 100 });
    assert.deepEqual(
      blockBytes.map(({ operation, value }) => [operation, value]),
      [
        ['read', 1],
        ['write', 2],
      ],
    );
    assert.deepEqual(
      blockOperations.map(({ value }) => value),
      [3, 4],
    );
    assert.equal(cgroup.remove(), false);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('Cgroup refuses paths that leave their place', () => {
  const layout = { version: 2, hierarchies: new Map(), unified: '/nowhere' } as const;
  for (const bad of ['/a/../..', '/', '', '//'])
    assert.throws(() => new Cgroup(layout, bad), { kind: 'invalidArgument' });
  const missing = new Cgroup(layout, '/gone');
  assert.deepEqual([missing.pids(), missing.oomKills(), missing.remove()], [[], 0, true]);
});
