import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  createdState,
  isRunning,
  next,
  restartDelayMs,
  restartsAfter,
  type ContainerEvent,
  type ContainerState,
} from './lifecycle.ts';

const time = new Date('2026-11-23T12:00:00Z');
const started: ContainerEvent = { type: 'started', pid: 7, processStartTime: 9, time, again: false };
const exited: ContainerEvent = { type: 'exited', exitCode: 3, oomKilled: false, time };

function after(...events: readonly ContainerEvent[]): ContainerState {
  return events.reduce(next, createdState);
}

test('next() walks create, start, pause, exit, start', () => {
  assert.equal(after(started).status, 'running');
  assert.equal(after(started, { type: 'paused' }).status, 'paused');
  const ended = after(started, { type: 'paused' }, exited);
  assert.deepEqual([ended.status, ended.exitCode, ended.pid, ended.finishedAt], ['exited', 3, 0, time.toISOString()]);
  assert.equal(after(started, exited, started).exitCode, 0);
});

test('next() keeps a container whose start failed where it was, with code and text', () => {
  const failed: ContainerEvent = { type: 'startFailed', exitCode: 127, error: 'no such program' };
  assert.equal(after(failed).status, 'created');
  assert.equal(after(started, exited, failed).status, 'exited');
  assert.equal(after(failed).exitCode, 127);
});

test('next() refuses what cannot happen', () => {
  for (const event of [exited, { type: 'paused' }, { type: 'unpaused' }] satisfies ContainerEvent[]) {
    assert.throws(() => after(event), { kind: 'internal' });
  }
  assert.throws(() => after(started, { type: 'removing' }), { kind: 'internal' });
});

test('restartsAfter() follows the policy and the wish to stop', () => {
  const ended = after(started, exited);
  const table: [string, number, ContainerState, boolean][] = [
    ['no', 0, ended, false],
    ['always', 0, ended, true],
    ['unless-stopped', 0, next(ended, { type: 'stopRequested' }), false],
    ['on-failure', 0, ended, true],
    ['on-failure', 1, { ...ended, restartCount: 1 }, false],
    ['on-failure', 0, { ...ended, exitCode: 0 }, false],
  ];
  for (const [name, maximumRetryCount, state, expected] of table) {
    assert.equal(restartsAfter(state, { name, maximumRetryCount }), expected, name);
  }
});

test('restartDelayMs() doubles to a minute and forgets after a long run', () => {
  assert.deepEqual(
    [restartDelayMs(0, 0), restartDelayMs(100, 50), restartDelayMs(50_000, 0), restartDelayMs(800, 10_000)],
    [100, 200, 60_000, 100],
  );
});

test('next() never leaves a running container without a pid, whatever happens', () => {
  const event = fc.constantFrom<ContainerEvent>(
    started,
    exited,
    { type: 'startFailed', exitCode: 127, error: 'x' },
    { type: 'restartPlanned' },
    { type: 'stopRequested' },
    { type: 'paused' },
    { type: 'unpaused' },
    { type: 'removing' },
    { type: 'removeFailed', error: 'busy' },
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      let state = createdState;
      for (const happening of events) {
        try {
          state = next(state, happening);
        } catch {
          continue;
        }
        assert.equal(isRunning(state), state.pid !== 0);
      }
    }),
  );
});
