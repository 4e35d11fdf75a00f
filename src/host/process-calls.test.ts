import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  closeDescriptor,
  closeInheritedOnExec,
  duplicateDescriptor,
  makeFifo,
  openDescriptor,
  tryLock,
} from './descriptor.ts';
import { mapAnonymous } from './memory.ts';
import {
  decodeWaitStatus,
  exitOfReaped,
  openPidfd,
  parseProcessStat,
  PIDFD_INFO_BYTES,
  readProcessState,
  shellExitCode,
  SIGINFO_BYTES,
  signalPidfd,
} from './pidfd.ts';
import { bytesWaiting, createPipe, readBytes, spliceBytes, writeBytes } from './pipe.ts';
import { DescriptorWatch } from './poll.ts';
import { spawnProcess, waitForChild } from './spawn.ts';
import {
  acceptConnection,
  connectTo,
  createSocketPair,
  listenAt,
  MSGHDR_BYTES,
  peerCredentials,
  receiveMessage,
  sendMessage,
} from './unix-socket.ts';

const nowhere = { env: {}, stdio: [null, null, null] } as const;

test('structures have the sizes of the kernel ABI', () => {
  assert.deepEqual([SIGINFO_BYTES, PIDFD_INFO_BYTES, MSGHDR_BYTES], [128, 64, 56]);
});

test('spawnProcess() gives its three descriptors and waitForChild() the exit code', async () => {
  closeInheritedOnExec();
  const pipe = createPipe();
  const pid = spawnProcess('/bin/sh', ['-c', 'ls /proc/self/fd | wc -l; echo "$A"; exit 7'], {
    env: { A: 'b c' },
    stdio: [null, pipe.write, null],
  });
  closeDescriptor(pipe.write);
  assert.deepEqual(await waitForChild(pid), { pid, code: 7 });
  const bytes = Buffer.alloc(100);
  const count = readBytes(pipe.read, bytes, 100);
  // ls holds 0, 1, 2 and the directory it reads.
  assert.equal(bytes.toString('utf8', 0, Number(count)), '4\nb c\n');
  closeDescriptor(pipe.read);
  assert.throws(() => spawnProcess('/nowhere', [], nowhere), { code: 'ENOENT' });
});

test('signalPidfd() kills the process it was opened for, and says when it is gone', async () => {
  const pid = spawnProcess('/bin/sleep', ['100'], nowhere);
  const pidfd = openPidfd(pid);
  assert.equal(readProcessState(pid)?.parent, process.pid);
  assert.equal(signalPidfd(pidfd, 9), true);
  assert.equal(shellExitCode(await waitForChild(pid)), 137);
  assert.equal(signalPidfd(pidfd, 9), false);
  const known = exitOfReaped(pidfd, pid);
  if (known) assert.deepEqual(known, { pid, signal: 9 });
  closeDescriptor(pidfd);
});

test('parseProcessStat() copes with any process name', () => {
  const tail = Array.from({ length: 49 }, (_, index) => String(index + 4)).join(' ');
  const state = parseProcessStat(5, `5 (a) b (c) Z ${tail}`);
  assert.equal(state.name, 'a) b (c');
  assert.equal(state.startTime, 22);
  assert.deepEqual(parseProcessStat(5, `5 (x) Z ${tail.replace(/ 52$/, ' 5888')}`).exit, { pid: 5, code: 23 });
  assert.deepEqual(decodeWaitStatus(1, 139), { pid: 1, signal: 11 });
});

test('spliceBytes() moves what bytesWaiting() counts, and tells an empty pipe from an ended one', () => {
  const from = createPipe();
  const to = createPipe();
  writeBytes(from.write, Buffer.from('hello'), 5);
  assert.equal(spliceBytes(from.read, to.write, 65536), 5);
  assert.equal(bytesWaiting(to.read), 5);
  assert.equal(spliceBytes(from.read, to.write, 65536), 'again');
  closeDescriptor(from.write);
  assert.equal(spliceBytes(from.read, to.write, 65536), 'end');
  const memory = mapAnonymous(4096);
  assert.equal(readBytes(to.read, memory.address + 8n, 100), 5);
  assert.equal(memory.bytes.toString('utf8', 8, 13), 'hello');
  [from.read, to.read, to.write].forEach(closeDescriptor);
});

test('DescriptorWatch survives garbage collection and lets promises go on', async () => {
  const pipe = createPipe();
  const woken = Promise.withResolvers<void>();
  const watch = new DescriptorWatch(pipe.read, { readable: true }, () => {
    readBytes(pipe.read, Buffer.alloc(1), 1);
    woken.resolve();
  });
  for (let index = 0; index < 50; index++) Buffer.alloc(1 << 20);
  const timer = setTimeout(() => undefined, 5000);
  const start = performance.now();
  writeBytes(pipe.write, Buffer.from('x'), 1);
  await woken.promise;
  assert.ok(performance.now() - start < 1000);
  clearTimeout(timer);
  watch.close();
  [pipe.read, pipe.write].forEach(closeDescriptor);
});

test('sendMessage() carries whole messages with 250 descriptors', () => {
  const [left, right] = createSocketPair('seqpacket');
  const pipe = createPipe();
  const many = Array.from({ length: 250 }, () => pipe.read);
  assert.equal(sendMessage(left, Buffer.from('one'), many), 3);
  assert.equal(sendMessage(left, Buffer.from('two')), 3);
  const first = receiveMessage(right);
  assert.ok(typeof first === 'object');
  assert.equal(first.bytes.toString(), 'one');
  assert.equal(first.descriptors.length, 250);
  first.descriptors.forEach(closeDescriptor);
  const second = receiveMessage(right);
  assert.ok(typeof second === 'object');
  assert.equal(second.bytes.toString(), 'two');
  assert.equal(receiveMessage(right), 'again');
  closeDescriptor(left);
  assert.equal(receiveMessage(right), 'end');
  [right, pipe.read, pipe.write].forEach(closeDescriptor);
});

test('listenAt() serves this user and tells who connects; locks exclude; fifos are made', () => {
  const directory = mkdtempSync('/var/tmp/slipway-host-');
  try {
    const at = path.join(directory, 's');
    const listener = listenAt(at, 'seqpacket');
    const client = connectTo(at, 'seqpacket');
    const server = acceptConnection(listener);
    assert.ok(server !== undefined);
    assert.equal(acceptConnection(listener), undefined);
    assert.equal(peerCredentials(server).pid, process.pid);
    [listener, client, server].forEach(closeDescriptor);
    assert.throws(() => connectTo(at, 'seqpacket'), { code: 'ECONNREFUSED' });
    assert.throws(() => connectTo(path.join(directory, 'x'.repeat(120)), 'stream'), /longer than 107/);
    makeFifo(path.join(directory, 'fifo'));
    const fifo = openDescriptor(path.join(directory, 'fifo'), 'readWrite');
    const same = duplicateDescriptor(fifo);
    const other = openDescriptor(path.join(directory, 'fifo'), 'readNonBlocking');
    assert.deepEqual([tryLock(fifo), tryLock(same), tryLock(other)], [true, true, false]);
    assert.match(readFileSync(`/proc/self/fdinfo/${fifo}`, 'utf8'), /flags:\t02\d*2$/m);
    [fifo, same, other].forEach(closeDescriptor);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
