import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { encodedCapacity, encodeEntries, formatLogTime, MAX_ENTRY_BYTES } from './json-file-format.ts';
import { parseEntry, parseLogTime } from './log-entry.ts';
import { readLogs } from './read-logs.ts';
import type { ReadLogsOptions } from './read-logs.ts';

const time = '2026-01-02T03:04:05.000000000Z';

function encode(source: Buffer, final: boolean): { entries: string[]; tail: string } {
  const target = Buffer.alloc(encodedCapacity(source.length));
  const { length, tailFrom } = encodeEntries(source, 'stdout', time, final, target);
  const lines = target.toString('utf8', 0, length).split('\n').filter(Boolean);
  const entries = lines.map((line) => {
    const value = JSON.parse(line) as { log: string; stream: string; time: string };
    assert.deepEqual([value.stream, value.time], ['stdout', time]);
    return value.log;
  });
  return { entries, tail: source.toString('utf8', tailFrom) };
}

test('encodeEntries() makes one entry a line and leaves the unfinished one', () => {
  const cases: [string | Buffer, boolean, string[], string][] = [
    ['a\nb\nc', false, ['a\n', 'b\n'], 'c'],
    ['a\nb\nc', true, ['a\n', 'b\n', 'c'], ''],
    ['\n\n', false, ['\n', '\n'], ''],
    ['', true, [], ''],
    ['"q"\\\t\u0001é€😀\n', false, ['"q"\\\t\u0001é€😀\n'], ''],
    [Buffer.from([0xff, 0x61, 0x0a]), false, ['\ufffda\n'], ''],
    [Buffer.from([0x61, 0xe2, 0x82]), false, [], 'a\ufffd'],
  ];
  for (const [source, final, entries, tail] of cases) {
    assert.deepEqual(encode(Buffer.from(source), final), { entries, tail });
  }
});

test('encodeEntries() cuts long lines at 16 KiB, not inside a character', () => {
  for (const body of ['x'.repeat(40_000), '€'.repeat(20_000), '"'.repeat(40_000)]) {
    const { entries, tail } = encode(Buffer.from(`${body}\nrest`), false);
    assert.equal(entries.join(''), `${body}\n`);
    assert.equal(tail, 'rest');
    for (const entry of entries) assert.ok(Buffer.byteLength(entry) <= MAX_ENTRY_BYTES + 1);
    for (const entry of entries.slice(0, -1)) assert.ok(!entry.endsWith('\n'));
  }
});

test('log times keep nanoseconds', () => {
  assert.equal(formatLogTime(1767323045000.25), '2026-01-02T03:04:05.000250000Z');
  assert.equal(parseLogTime('2026-01-02T03:04:05.000250000Z'), 1767323045000250000n);
  assert.equal(parseLogTime('2026-01-02T04:04:05.5+01:00'), 1767323045500000000n);
  assert.equal(parseLogTime('nonsense'), 0n);
  assert.equal(parseEntry(Buffer.from('{"log":')), undefined);
});

function entry(number: number, stream = 'stdout'): string {
  const at = `2026-01-02T03:04:${String(number % 60).padStart(2, '0')}.000000000Z`;
  return `${JSON.stringify({ log: `${number}\n`, stream, time: at })}\n`;
}

async function numbers(options: Omit<ReadLogsOptions, 'streams'>): Promise<number[]> {
  const found: number[] = [];
  for await (const { text } of readLogs({ streams: ['stdout'], ...options })) found.push(Number(text));
  return found;
}

test('readLogs() reads all, the tail over rotated files, and between times', async () => {
  const directory = mkdtempSync('/var/tmp/slipway-logs-');
  try {
    const file = path.join(directory, 'log');
    assert.deepEqual(await numbers({ file }), []);
    writeFileSync(`${file}.2`, entry(0) + entry(1));
    writeFileSync(`${file}.1`, entry(2) + 'damaged\n' + entry(3));
    writeFileSync(file, entry(4) + entry(5) + '{"log":"half');
    assert.deepEqual(await numbers({ file }), [0, 1, 2, 3, 4, 5]);
    writeFileSync(file, entry(4) + entry(5, 'stderr'));
    assert.deepEqual(await numbers({ file, tail: 0 }), []);
    assert.deepEqual(await numbers({ file, tail: 2 }), [4]);
    assert.deepEqual(await numbers({ file, tail: 3 }), [3, 4]);
    assert.deepEqual(await numbers({ file, tail: 6 }), [1, 2, 3, 4]);
    assert.deepEqual(await numbers({ file, tail: 100 }), [0, 1, 2, 3, 4]);
    const second = (number: number): bigint => parseLogTime(`2026-01-02T03:04:0${number}Z`);
    assert.deepEqual(await numbers({ file, since: second(1), until: second(3) }), [1, 2, 3]);
    writeFileSync(file, Array.from({ length: 50_000 }, (_, index) => entry(index)).join(''));
    assert.deepEqual(await numbers({ file, tail: 3 }), [49_997, 49_998, 49_999]);
    assert.equal((await numbers({ file, tail: 20_000 }))[0], 30_000);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('readLogs() follows writes and rotations until the end', async () => {
  const directory = mkdtempSync('/var/tmp/slipway-logs-');
  try {
    const file = path.join(directory, 'log');
    const over = Promise.withResolvers<void>();
    const found: number[] = [];
    let seen = (): void => undefined;
    const reading = (async () => {
      for await (const { text } of readLogs({ file, streams: ['stdout'], follow: over.promise })) {
        found.push(Number(text));
        seen();
      }
    })();
    const until = (count: number): Promise<void> =>
      new Promise((resolve) => {
        seen = () => {
          if (found.length >= count) resolve();
        };
        seen();
      });
    writeFileSync(file, entry(0));
    await until(1);
    appendFileSync(file, entry(1).slice(0, 10));
    appendFileSync(file, entry(1).slice(10));
    await until(2);
    appendFileSync(file, entry(2));
    renameSync(file, `${file}.1`);
    writeFileSync(file, entry(3));
    await until(4);
    renameSync(`${file}.1`, `${file}.2`);
    renameSync(file, `${file}.1`);
    writeFileSync(file, entry(4));
    renameSync(`${file}.2`, `${file}.3`);
    renameSync(`${file}.1`, `${file}.2`);
    renameSync(file, `${file}.1`);
    writeFileSync(file, entry(5));
    await until(6);
    appendFileSync(file, entry(6));
    over.resolve();
    await reading;
    assert.deepEqual(found, [0, 1, 2, 3, 4, 5, 6]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
