import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBinarySize, formatSize, parseByteSize } from './byte-sizes.ts';
import { formatElapsed, parseDuration } from './durations.ts';
import { encodeFilters } from './filters.ts';
import { indentJson } from './indent-json.ts';
import { formatPorts } from './port-list.ts';
import { tabulate } from './tabulate.ts';

test('formatSize() shows few digits and decimal units', () => {
  const sizes: readonly (readonly [number, string])[] = [
    [0, '0B'],
    [999, '999B'],
    [3_110_000, '3.11MB'],
    [16_384, '16.38kB'],
    [1e9, '1GB'],
  ];
  for (const [bytes, text] of sizes) assert.equal(formatSize(bytes), text);
  assert.equal(formatSize(16_384, 3), '16.4kB');
  assert.equal(formatBinarySize(25_276_000_000), '23.54GiB');
});

test('parseByteSize() reads powers of 1024', () => {
  const sizes: readonly (readonly [string, number])[] = [
    ['1', 1],
    ['1b', 1],
    ['1k', 1024],
    ['1.5m', 1_572_864],
    ['2GB', 2 ** 31],
    ['1KiB', 1024],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseByteSize(text), bytes);
  assert.throws(() => parseByteSize('1xyz'), { message: "invalid suffix: 'xyz'" });
  assert.throws(() => parseByteSize('foo'), { message: "invalid size: 'foo'" });
});

test('parseDuration() reads what Go writes', () => {
  assert.equal(parseDuration('1h30m'), 5400e9);
  assert.equal(parseDuration('-1.5s'), -1.5e9);
  assert.equal(parseDuration('0'), 0);
  assert.throws(() => parseDuration('foo'), { message: 'time: invalid duration "foo"' });
  assert.throws(() => parseDuration('1'), { message: 'time: missing unit in duration "1"' });
  assert.throws(() => parseDuration('1y'), { message: 'time: unknown unit "y" in duration "1y"' });
});

test('formatElapsed() speaks as people do', () => {
  const spans: readonly (readonly [number, string])[] = [
    [0.5, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [120, '2 minutes'],
    [3600, 'About an hour'],
    [7200, '2 hours'],
    [86_400 * 3, '3 days'],
    [86_400 * 21, '3 weeks'],
    [86_400 * 90, '3 months'],
    [86_400 * 1000, '2 years'],
  ];
  for (const [seconds, text] of spans) assert.equal(formatElapsed(seconds), text);
});

test('tabulate() aligns neighbouring lines by characters', () => {
  assert.equal(tabulate('A\tB\tC\nlonger text\t…\tx\n'), 'A             B         C\nlonger text   …         x\n');
  assert.equal(tabulate('no tabs'), 'no tabs');
});

test('indentJson() keeps keys and numbers as they are', () => {
  const text = '[{"10":1,"9":1.0,"e":{},"l":[ ],"s":"a,{\\"}"}]';
  assert.equal(
    indentJson(text, '  '),
    '[\n  {\n    "10": 1,\n    "9": 1.0,\n    "e": {},\n    "l": [],\n    "s": "a,{\\"}"\n  }\n]',
  );
});

test('formatPorts() joins neighbours that are mapped to themselves', () => {
  const port = (PrivatePort: number, PublicPort?: number, IP?: string): Record<string, unknown> => ({
    PrivatePort,
    PublicPort,
    IP,
    Type: 'tcp',
  });
  assert.equal(
    formatPorts([port(443), port(80, 8080, '0.0.0.0'), port(80, 8080, '::')]),
    '443/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp',
  );
  assert.equal(formatPorts([port(91, 91, '::'), port(90, 90, '::')]), '[::]:90-91->90-91/tcp');
});

test('encodeFilters() groups values by name', () => {
  assert.equal(
    encodeFilters(['label=a', 'label=b=c', 'status=exited']),
    '{"label":{"a":true,"b=c":true},"status":{"exited":true}}',
  );
  assert.equal(encodeFilters([]), undefined);
});
