/** Our answers to the requests of test/golden/steps.ts beside those recorded from docker's own engine. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { withoutDocker } from './harness/docker.ts';
import { openWorld, type World } from './harness/world.ts';
import { differences } from './golden/differences.ts';
import { replay, type Recorded } from './golden/replay.ts';
import { groups, image } from './golden/steps.ts';

let world: World;
let ours: Awaited<ReturnType<typeof replay>>;
const used = new Set<RegExp>();

describe("answers are those of docker's own engine", { skip: withoutDocker ?? false }, () => {
  before(async () => {
    world = await openWorld({ images: ['busybox'] });
    await world.docker.run('pull', '-q', 'busybox');
    await world.docker.run('tag', 'busybox', image);
    await world.docker.run('rmi', 'busybox');
    ours = await replay(world.engine.socketPath);
  });
  after(() => world[Symbol.asyncDispose]());
  for (const group of Object.keys(groups)) {
    test(group, async () => {
      const file = path.join(import.meta.dirname, 'golden/recorded', `${group}.json`);
      const recorded = JSON.parse(await readFile(file, 'utf8')) as readonly Recorded[];
      const found = recorded.flatMap((wanted, index) => compareAnswers(group, wanted, ours[group]?.[index]));
      if (found.length > 0) assert.fail(`differences from the recorded answers:\n${found.join('\n')}`);
    });
  }
  test('every difference that is allowed is there', () => {
    assert.deepEqual(
      differences.filter(({ where }) => !used.has(where)).map(({ where }) => String(where)),
      [],
    );
  });
});

function compareAnswers(group: string, wanted: Recorded, got: Recorded | undefined): readonly string[] {
  return compare(`${group}/${wanted.name}: `, wanted, got).filter((line) => {
    const allowed = differences.find(({ where }) => where.test(line));
    if (allowed) used.add(allowed.where);
    return !allowed;
  });
}

/** Returns a line for every place where two values differ: other values, missing keys, keys too many. */
function compare(place: string, wanted: unknown, got: unknown): readonly string[] {
  if (Array.isArray(wanted) && Array.isArray(got) && wanted.length === got.length)
    return wanted.flatMap((item, index) => compare(`${place}[${index}]`, item, got[index]));
  if (isObject(wanted) && isObject(got)) {
    return [...new Set([...Object.keys(wanted), ...Object.keys(got)])].flatMap((key) =>
      compare(`${place}.${key}`, wanted[key], got[key]),
    );
  }
  if (wanted === got) return [];
  // Numbers and times are of the run; that they are there is what counts.
  if (typeof wanted === 'number' && typeof got === 'number' && !place.endsWith('.status') && !place.endsWith('Code'))
    return [];
  return [`${place}: wanted ${text(wanted)}, got ${text(got)}`];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
