import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { differences, lines } from './cli-parity/cases.ts';
import { runLines, type ClientAnswer } from './cli-parity/run-lines.ts';

const program = path.resolve(import.meta.dirname, '../src/cli/main.ts');
const golden = path.resolve(import.meta.dirname, 'golden/cli/answers.json');

test('slipway answers as docker 28.5 does', { timeout: 300_000 }, async (context) => {
  const recorded = JSON.parse(await readFile(golden, 'utf8')) as { readonly answers: readonly ClientAnswer[] };
  assert.deepEqual(
    recorded.answers.map(({ line }) => line),
    lines,
    'the table has changed: record again',
  );
  // Without the two dashes Node itself takes --env-file.
  const answers = await runLines([process.execPath, '--', program]);
  for (const [at, answer] of answers.entries()) {
    await context.test(`slipway ${answer.line}`, () => {
      // A difference that has gone is to be taken off the list.
      if (differences.has(answer.line)) assert.notDeepEqual(answer, recorded.answers[at]);
      else assert.deepEqual(answer, recorded.answers[at]);
    });
  }
});
