import type { JsonObject } from '../../base/json.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import { flag, formatHelp } from '../flags/flag.ts';
import { numberOf, objectOf, textOf } from '../format/fields.ts';
import { encodeFilters } from '../format/filters.ts';
import { parseFormat, templateFailure } from '../format/list.ts';
import { runTemplate } from '../template/run-template.ts';
import type { Template } from '../template/parse.ts';
import { Fields, formatJson } from '../template/values.ts';
import { parseTimestamp } from '../options/timestamps.ts';

/** `slipway events`. */
export const eventsCommand: Command = {
  names: ['events', 'system events'],
  aliases: ['system events', 'events'],
  usage: '[OPTIONS]',
  summary: 'Get real time events from the server',
  flags: [
    flag('f', 'filter', 'filter', 'Filter output based on conditions provided'),
    flag('', 'format', 'string', formatHelp),
    flag('', 'since', 'string', 'Show all events created since timestamp'),
    flag('', 'until', 'string', 'Stream events until this timestamp'),
  ],
  count: { min: 0, max: 0 },
  run: async ({ session, flags }) => {
    const format = flags.string('format');
    const template = templateOf(format);
    const now = Date.now();
    const query = {
      since: parseTimestamp('since', flags.string('since'), now),
      until: parseTimestamp('until', flags.string('until'), now),
      filters: encodeFilters(flags.list('filter')),
    };
    for await (const event of session.engine.stream('GET', '/events', { query })) {
      if (format === 'json') session.print(`${formatJson(event, 'html')}\n`);
      else session.print(template ? `${runTemplate(template, fieldsOf(event))}\n` : formatEvent(event));
    }
    return 0;
  },
};

function templateOf(format: string): Template | undefined {
  if (format === '' || format === 'json') return undefined;
  const template = parseFormat(format, 'Error parsing format', 64);
  try {
    runTemplate(template, fieldsOf({}));
    return template;
  } catch (error) {
    const failure = templateFailure(error, 'Error parsing format', 64);
    throw failure instanceof Error ? failure : new CommandError(String(failure));
  }
}

function fieldsOf(event: JsonObject): Fields {
  const actor = objectOf(event['Actor']);
  return new Fields('*events.Message', {
    Status: textOf(event['status']),
    ID: textOf(event['id']),
    From: textOf(event['from']),
    Type: textOf(event['Type']),
    Action: textOf(event['Action']),
    Actor: new Fields('events.Actor', { ID: textOf(actor['ID']), Attributes: objectOf(actor['Attributes']) }),
    Scope: textOf(event['scope']),
    Time: numberOf(event['time']),
    TimeNano: event['timeNano'] ?? 0,
  });
}

function formatEvent(event: JsonObject): string {
  const actor = objectOf(event['Actor']);
  const attributes = Object.entries(objectOf(actor['Attributes'])).toSorted(([left], [right]) =>
    left < right ? -1 : 1,
  );
  const list = attributes.map(([key, value]) => `${key}=${textOf(value)}`).join(', ');
  const words = [formatTime(event), textOf(event['Type']), textOf(event['Action']), textOf(actor['ID'])];
  return `${words.join(' ')}${list === '' ? '' : ` (${list})`}\n`;
}

function formatTime(event: JsonObject): string {
  const exact = event['timeNano'];
  const nano = typeof exact === 'bigint' ? exact : BigInt(numberOf(event['time'])) * 1_000_000_000n;
  const seconds = Number(nano / 1_000_000_000n);
  const rest = nano % 1_000_000_000n;
  const moment = new Date(seconds * 1000);
  const offset = -moment.getTimezoneOffset();
  const local = new Date(moment.getTime() + offset * 60_000).toISOString().slice(0, 19);
  return `${local}.${String(rest).padStart(9, '0')}${formatOffset(offset)}`;
}

function formatOffset(minutes: number): string {
  if (minutes === 0) return 'Z';
  const two = (value: number): string => String(value).padStart(2, '0');
  const distance = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.trunc(distance / 60))}:${two(distance % 60)}`;
}
