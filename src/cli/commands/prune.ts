import type { Command, Invocation } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { flag, type Flag } from '../flags/flag.ts';
import { formatSize } from '../format/byte-sizes.ts';
import { numberOf, objectsOf, textOf, textsOf } from '../format/fields.ts';
import { encodeFilters } from '../format/filters.ts';

const flags: readonly Flag[] = [
  flag('', 'filter', 'filter', 'Provide filter values (e.g. "until=<timestamp>")'),
  flag('f', 'force', 'bool', 'Do not prompt for confirmation'),
];

/** `slipway container prune`. */
export const containerPruneCommand: Command = {
  names: ['container prune'],
  usage: '[OPTIONS]',
  summary: 'Remove all stopped containers',
  flags,
  count: { min: 0, max: 0 },
  run: async (invocation) => {
    await confirm(invocation, 'WARNING! This will remove all stopped containers.');
    const { session, flags: given } = invocation;
    const query = { filters: encodeFilters(given.list('filter')) };
    const report = await session.engine.object('POST', '/containers/prune', { query });
    const deleted = textsOf(report['ContainersDeleted']);
    const lines = deleted.length === 0 ? [] : ['Deleted Containers:', ...deleted, ''];
    session.print(formatReport(lines, numberOf(report['SpaceReclaimed'])));
    return 0;
  },
};

/** `slipway image prune`. */
export const imagePruneCommand: Command = {
  names: ['image prune'],
  usage: '[OPTIONS]',
  summary: 'Remove unused images',
  flags: [flag('a', 'all', 'bool', 'Remove all unused images, not just dangling ones'), ...flags],
  count: { min: 0, max: 0 },
  run: async (invocation) => {
    const { session, flags: given } = invocation;
    const all = given.bool('all');
    const what = all ? 'all images without at least one container associated to them' : 'all dangling images';
    await confirm(invocation, `WARNING! This will remove ${what}.`);
    const query = { filters: encodeFilters([...given.list('filter'), `dangling=${!all}`]) };
    const report = await session.engine.object('POST', '/images/prune', { query });
    const deleted = objectsOf(report['ImagesDeleted']).map((item) => {
      const digest = textOf(item['Deleted']);
      return digest === '' ? `untagged: ${textOf(item['Untagged'])}` : `deleted: ${digest}`;
    });
    const lines = deleted.length === 0 ? [] : ['Deleted Images:', ...deleted, ''];
    session.print(formatReport(lines, numberOf(report['SpaceReclaimed'])));
    return 0;
  },
};

function formatReport(lines: readonly string[], reclaimed: number): string {
  return `${[...lines, `Total reclaimed space: ${formatSize(reclaimed)}`].join('\n')}\n`;
}

async function confirm({ session, flags: given }: Invocation, warning: string): Promise<void> {
  if (given.bool('force')) return;
  session.print(`${warning}\nAre you sure you want to continue? [y/N] `);
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: process.stdin });
  let answer = '';
  for await (const line of lines) {
    answer = line.trim();
    break;
  }
  if (!/^y(es)?$/i.test(answer)) throw new CommandError('', 0);
}
