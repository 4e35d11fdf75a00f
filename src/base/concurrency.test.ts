import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferred, KeyedQueue, Limiter, SerialQueue, SingleFlight } from './concurrency.ts';

test('Limiter.run() never exceeds its limit and keeps the order', async () => {
  const limiter = new Limiter(2);
  const gates = [deferred<void>(), deferred<void>(), deferred<void>()];
  const started: number[] = [];
  const all = gates.map((gate, index) =>
    limiter.run(async () => {
      started.push(index);
      await gate.promise;
    }),
  );
  await Promise.resolve();
  assert.deepEqual(started, [0, 1]);
  gates[0]?.resolve();
  await all[0];
  await Promise.resolve();
  assert.deepEqual(started, [0, 1, 2]);
  gates[1]?.resolve();
  gates[2]?.resolve();
  await Promise.all(all);
});

test('SerialQueue.run() goes on after a failure', async () => {
  const queue = new SerialQueue();
  const order: string[] = [];
  const failed = queue.run(() => {
    order.push('a');
    return Promise.reject(new Error('no'));
  });
  const second = queue.run(() => {
    order.push('b');
    return Promise.resolve(2);
  });
  await assert.rejects(failed, /no/);
  assert.equal(await second, 2);
  assert.deepEqual(order, ['a', 'b']);
});

test('KeyedQueue.run() serialises one key only', async () => {
  const queue = new KeyedQueue();
  const gate = deferred<void>();
  const order: string[] = [];
  const first = queue.run('x', () => gate.promise.then(() => void order.push('x1')));
  const second = queue.run('x', () => Promise.resolve(void order.push('x2')));
  await queue.run('y', () => Promise.resolve(void order.push('y')));
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(order, ['y', 'x1', 'x2']);
});

test('SingleFlight.run() shares one task per key', async () => {
  const flight = new SingleFlight<number>();
  const gate = deferred<number>();
  let calls = 0;
  const task = (): Promise<number> => {
    calls++;
    return gate.promise;
  };
  const both = [flight.run('k', task), flight.run('k', task)];
  gate.resolve(7);
  assert.deepEqual(await Promise.all(both), [7, 7]);
  assert.equal(calls, 1);
});
