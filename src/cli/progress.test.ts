import assert from 'node:assert/strict';
import { test } from 'node:test';
import { showProgress } from './progress.ts';

const pull = [
  { id: 'latest', status: 'Pulling from library/busybox' },
  { id: 'aaa', status: 'Pulling fs layer' },
  { id: 'bbb', status: 'Pulling fs layer' },
  { id: 'aaa', status: 'Downloading', progressDetail: { current: 500_000, total: 1_000_000 } },
  { id: 'aaa', status: 'Pull complete' },
  { status: 'Status: Downloaded newer image for busybox:latest' },
];

async function shown(messages: readonly Record<string, unknown>[], isTerminal: boolean): Promise<string> {
  let text = '';
  const output = { isTerminal, write: (more: string): void => void (text += more) };
  await showProgress(
    (async function* () {
      yield* messages;
    })(),
    output,
  );
  return text;
}

test('showProgress() writes a line per change of state where there is no terminal', async () => {
  const lines = [
    'latest: Pulling from library/busybox',
    'aaa: Pulling fs layer',
    'bbb: Pulling fs layer',
    'aaa: Pull complete',
  ];
  assert.equal(
    await shown(pull, false),
    `${[...lines, 'Status: Downloaded newer image for busybox:latest'].join('\n')}\n`,
  );
});

test('showProgress() changes lines in place on a terminal', async () => {
  const text = await shown(pull, true);
  assert.ok(text.includes('\n\x1b[1A\x1b[2K\rlatest: Pulling from library/busybox\r\x1b[1B'));
  const bar = `[${'='.repeat(25)}>${' '.repeat(25)}]`;
  assert.ok(text.includes(`\x1b[2A\x1b[2K\raaa: Downloading ${bar}    500kB/1MB\r\x1b[2B`));
  assert.ok(text.endsWith('aaa: Pull complete\r\x1b[2BStatus: Downloaded newer image for busybox:latest\n'));
});

test('showProgress() fails with the engine’s words', async () => {
  await assert.rejects(shown([{ errorDetail: { message: 'no space' }, error: 'no space' }], false), {
    message: 'no space',
  });
});
