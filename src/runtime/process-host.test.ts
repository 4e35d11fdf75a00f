import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { readLogs } from '../logs/read-logs.ts';
import { RuntimeError } from './runtime-error.ts';
import { cannotRun, exitOf, namesIn, outputOf, TestBed } from './test-container.ts';

const all = { stdin: true, stdout: true, stderr: true };
const options = { skip: cannotRun, timeout: 60_000 };

test('run() gives output, exit code and log, and leaves nothing behind', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const request = await bed.prepare(['sh', '-c', 'echo out; echo err >&2; exit 7']);
  const { status, attachment } = await host.run(request, all);
  assert.equal(status.kind, 'container');
  assert.deepEqual(await outputOf(attachment), { stdout: 'out\n', stderr: 'err\n' });
  const exit = await exitOf(host, request.id);
  assert.deepEqual([exit.exitCode, exit.oomKilled], [7, false]);
  const lines = readFileSync(request.stdio.log?.file ?? '', 'utf8')
    .trim()
    .split('\n');
  const entries = lines.map((line) => JSON.parse(line) as { log: string; stream: string });
  assert.deepEqual(entries.map(({ log, stream }) => `${stream} ${log}`).toSorted(), ['stderr err\n', 'stdout out\n']);
  await host.forget(request.id);
  assert.deepEqual(await host.list(), []);
  assert.deepEqual(namesIn(`${bed.execRoot}/crun`), []);
  assert.deepEqual(namesIn(`${bed.execRoot}/monitor/processes`), []);
  assert.deepEqual(
    namesIn(`/sys/fs/cgroup/memory/${bed.cgroupParent}`).filter((name) => name.length === 64),
    [],
  );
});

test('stdin goes in, half-closes, and the answer comes out', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const request = await bed.prepare(['cat'], { openStdin: true, stdinOnce: true });
  const { attachment } = await host.run(request, all);
  const sent = 'x'.repeat(999_999) + '\n';
  const output = outputOf(attachment);
  for (let at = 0; at < sent.length; at += 100_000) await attachment?.write(Buffer.from(sent.slice(at, at + 100_000)));
  await attachment?.endInput();
  assert.ok((await output).stdout === sent);
  assert.equal((await exitOf(host, request.id)).exitCode, 0);
});

test('a terminal has its size, is resized, and is one stream', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const script = 'stty size; read x; stty size; exit 3';
  const stdio = { terminal: true, openStdin: true, size: { rows: 43, columns: 132 } };
  const request = await bed.prepare(['sh', '-c', script], stdio);
  const { attachment } = await host.run(request, all);
  const output = outputOf(attachment);
  await host.resize(request.id, { rows: 80, columns: 40 });
  await attachment?.write(Buffer.from('\n'));
  assert.match((await output).stdout, /^43 132\r\n\r\n80 40\r\n$/);
  assert.equal((await exitOf(host, request.id)).exitCode, 3);
});

test('exec() runs beside the container, with pipes and with a terminal', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const request = await bed.prepare(['sleep', '100']);
  await host.run(request);
  const config = JSON.parse(readFileSync(`${request.bundle}/config.json`, 'utf8')) as { process: object };
  const exec = (id: string, args: readonly string[], terminal: boolean): ReturnType<typeof host.exec> =>
    host.exec(
      {
        id,
        containerId: request.id,
        runtime: 'crun',
        process: { ...config.process, args, terminal },
        stdio: { terminal, openStdin: true, stdinOnce: true },
      },
      all,
    );
  const piped = await exec('e1', ['sh', '-c', 'cat; grep Seccomp: /proc/self/status; exit 5'], false);
  await piped.attachment?.write(Buffer.from('in\n'));
  await piped.attachment?.endInput();
  assert.equal((await outputOf(piped.attachment)).stdout, 'in\nSeccomp:\t2\n');
  assert.equal((await exitOf(host, 'e1')).exitCode, 5);
  await host.forget('e1');
  const onTerminal = await exec('e2', ['sh', '-c', '[ -t 0 ] && echo terminal'], true);
  assert.equal((await outputOf(onTerminal.attachment)).stdout, 'terminal\r\n');
  await assert.rejects(exec('e3', ['nope'], false), (error: unknown) => {
    assert.ok(error instanceof RuntimeError);
    assert.equal(error.exitCode, 127);
    assert.match(error.runtimeText, /^unable to start container process: exec: "nope": executable file not found/);
    return true;
  });
  await host.signal(request.id, 9);
  assert.equal((await exitOf(host, request.id)).exitCode, 137);
  await assert.rejects(host.signal(request.id, 9), { kind: 'notFound' });
});

test('run() tells why a program cannot be run, in docker’s words, and leaves nothing', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const cases = [
    ['nope', 127, 'exec: "nope": executable file not found in $PATH'],
    ['/nope', 127, 'exec: "/nope": stat /nope: no such file or directory'],
    ['/etc/passwd', 126, 'exec: "/etc/passwd": permission denied'],
    ['/etc', 126, 'exec: "/etc": permission denied'],
  ] as const;
  for (const [program, exitCode, text] of cases) {
    for (const terminal of [false, true]) {
      const request = await bed.prepare([program], { terminal });
      await assert.rejects(host.run(request, all), (error: unknown) => {
        assert.ok(error instanceof RuntimeError, String(error));
        assert.equal(error.exitCode, exitCode);
        assert.equal(error.runtimeText, `unable to start container process: ${text}`);
        return true;
      });
    }
  }
  assert.deepEqual(await host.list(), []);
  assert.deepEqual(namesIn(`${bed.execRoot}/crun`), []);
  assert.deepEqual(namesIn(`${bed.execRoot}/monitor`).toSorted(), ['journal', 'processes']);
});

test('a container at its memory limit is killed and known as such', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const memoryBytes = 16 * 1024 * 1024;
  const request = await bed.prepare(
    ['sh', '-c', 'head -c 100m /dev/zero | tail | wc'],
    {},
    { resources: { memoryBytes, memorySwapBytes: memoryBytes } },
  );
  await host.run(request);
  assert.equal((await exitOf(host, request.id)).oomKilled, true);
});

test('runc does the same', { ...options, skip: cannotRun || !existsSync('/usr/sbin/runc') }, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const request = await bed.prepare(['sh', '-c', 'grep Seccomp: /proc/self/status; exit 7'], {}, { runtime: 'runc' });
  const { attachment } = await host.run(request, all);
  assert.equal((await outputOf(attachment)).stdout, 'Seccomp:\t2\n');
  assert.equal((await exitOf(host, request.id)).exitCode, 7);
  const bad = await bed.prepare(['nope'], {}, { runtime: 'runc' });
  await assert.rejects(host.run(bad, all), (error: unknown) => {
    assert.ok(error instanceof RuntimeError);
    assert.deepEqual([error.exitCode, /exec: "nope": executable file not found/.test(error.runtimeText)], [127, true]);
    return true;
  });
  assert.deepEqual(namesIn(`${bed.execRoot}/runc`), []);
});

test('a program that the kernel cannot execute ends as with Docker', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  writeFileSync(`${bed.rootfs}/bin/bad`, '\x7fELF', { mode: 0o755 });
  const request = await bed.prepare(['bad']);
  const { attachment } = await host.run(request, all);
  assert.equal((await outputOf(attachment)).stderr, 'exec /bin/bad: exec format error\n');
  assert.equal((await exitOf(host, request.id)).exitCode, 255);
});

test('logs rotate at their size and keep the newest files', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const first = await bed.prepare(['seq', '20000']);
  const file = `${bed.directory}/rotated.log`;
  const request = { ...first, stdio: { ...first.stdio, log: { file, maxSizeBytes: 300_000, maxFiles: 3 } } };
  const { attachment } = await host.run(request, all);
  const { stdout } = await outputOf(attachment);
  await exitOf(host, request.id);
  assert.equal(stdout.length, 108_894);
  const names = namesIn(bed.directory).filter((name) => name.startsWith('rotated.log') && !name.endsWith('.dropped'));
  assert.deepEqual(names.toSorted(), ['rotated.log', 'rotated.log.1', 'rotated.log.2']);
  const kept: string[] = [];
  for await (const { text } of readLogs({ file, streams: ['stdout'] })) kept.push(text);
  assert.ok(kept.length > 0 && stdout.endsWith(kept.join('')));
});

test('a default container is confined', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  const script = [
    'cat /proc/self/status | grep -E "Cap(Prm|Bnd|Inh|Amb)"',
    'mount -t tmpfs x /tmp 2>&1 | grep -c denied',
    'cat /proc/keys 2>/dev/null | wc -c',
    'echo 1 2>/dev/null >/proc/sys/kernel/panic || echo read-only',
    'mknod /tmp/disk b 254 0 && cat /tmp/disk 2>&1 | grep -c permitted',
    'ls /proc/self/fd | wc -l',
  ].join('; ');
  const request = await bed.prepare(['sh', '-c', script]);
  const { attachment } = await host.run(request, all);
  const { stdout, stderr } = await outputOf(attachment);
  const [inheritable, permitted, bounding, ambient, ...rest] = stdout
    .trim()
    .split('\n')
    .map((line) => line.split('\t').at(-1));
  assert.deepEqual([inheritable, ambient], ['0'.repeat(16), '0'.repeat(16)]);
  assert.deepEqual([permitted, bounding], ['00000000a80425fb', '00000000a80425fb']);
  // The fourth descriptor is the directory that ls reads.
  assert.deepEqual(rest, ['1', '0', 'read-only', '1', '4'], stderr);
});

test('a client that reads late gets all output of a process that has ended', options, async () => {
  await using bed = new TestBed();
  const host = await bed.connect();
  for (const terminal of [false, true]) {
    const request = await bed.prepare(['sh', '-c', 'seq 300000'], { terminal });
    const { attachment } = await host.run(request, all);
    // Nothing is read meanwhile, so the process waits for the client.
    await delay(1500);
    const output = outputOf(attachment);
    assert.equal((await exitOf(host, request.id)).exitCode, 0);
    const { stdout } = await output;
    assert.equal(stdout.replaceAll('\r', '').length, 1_988_895);
  }
});
