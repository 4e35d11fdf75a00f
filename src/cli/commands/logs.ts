import type { Command } from '../command.ts';
import { containerPath } from '../each.ts';
import { flag } from '../flags/flag.ts';
import { objectOf, textOf } from '../format/fields.ts';
import { parseTimestamp } from '../options/timestamps.ts';
import { writeOutput } from '../streams.ts';

/** `slipway logs`. */
export const logsCommand: Command = {
  names: ['logs', 'container logs'],
  aliases: ['container logs', 'logs'],
  usage: '[OPTIONS] CONTAINER',
  summary: 'Fetch the logs of a container',
  flags: [
    flag('', 'details', 'bool', 'Show extra details provided to logs'),
    flag('f', 'follow', 'bool', 'Follow log output'),
    flag(
      '',
      'since',
      'string',
      'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
    flag('n', 'tail', 'string', 'Number of lines to show from the end of the logs (default "all")'),
    flag('t', 'timestamps', 'bool', 'Show timestamps'),
    flag(
      '',
      'until',
      'string',
      'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    ),
  ],
  count: { min: 1, max: 1 },
  run: async ({ session, flags, args: [container = ''] }) => {
    const { engine } = session;
    const answer = await engine.object('GET', containerPath(container, '/json'));
    const query = {
      stdout: true,
      stderr: true,
      since: parseTimestamp('since', flags.string('since'), Date.now()),
      until: parseTimestamp('until', flags.string('until'), Date.now()),
      timestamps: flags.bool('timestamps'),
      follow: flags.bool('follow'),
      tail: flags.string('tail', 'all'),
      details: flags.bool('details'),
    };
    using response = await engine.open('GET', containerPath(textOf(answer['Id']), '/logs'), { query });
    await writeOutput(response.body, objectOf(answer['Config'])['Tty'] === true);
    return 0;
  },
};
