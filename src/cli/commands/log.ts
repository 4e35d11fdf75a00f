import type { JsonObject } from '../../base/json.ts';
import { withDefaultTag, parseReference } from '../../formats/oci/reference.ts';
import type { Command } from '../command.ts';
import { imagePath } from '../each.ts';
import { flag } from '../flags/flag.ts';
import { formatElapsed } from '../format/durations.ts';
import { numberOf, textOf } from '../format/fields.ts';
import { formatJson } from '../template/values.ts';
import { familiarReference } from '../pull-image.ts';

/** `slipway log`: the moves of an image's name, newest first. */
export const logCommand: Command = {
  names: ['log', 'image log'],
  aliases: ['image log', 'log'],
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Show what an image name has referred to, newest first',
  flags: [
    flag('', 'json', 'bool', 'Print one JSON object per line'),
    flag('n', 'max-count', 'int', 'Number of moves to show (default all)'),
    flag('', 'oneline', 'bool', 'Print each move on one line'),
  ],
  count: { min: 1, max: 1 },
  run: async ({ session, flags, args: [name = ''] }) => {
    const all = await session.engine.list(`/slipway${imagePath(name, '/log')}`);
    const sorted = all.toSorted((left, right) => numberOf(right['sequence']) - numberOf(left['sequence']));
    const moves = sorted.slice(0, flags.number('max-count') ?? sorted.length);
    const title = familiarReference(withDefaultTag(parseReference(name)));
    if (flags.bool('json')) session.print(moves.map((move) => `${formatJson(move, 'plain')}\n`).join(''));
    else if (flags.bool('oneline')) session.print(moves.map((move, back) => formatLine(title, move, back)).join(''));
    else session.print(moves.map((move, back) => formatMove(title, move, back)).join('\n'));
    return 0;
  },
};

function formatMove(title: string, move: JsonObject, back: number): string {
  const time = textOf(move['time']);
  const elapsed = formatElapsed((Date.now() - Date.parse(time)) / 1000);
  const old = textOf(move['oldDigest']);
  const message = textOf(move['message']);
  const lines = [
    `revision ${title}@{${back}}`,
    `Digest: ${textOf(move['newDigest']) || '(none)'}`,
    ...(old === '' ? [] : [`Before: ${old}`]),
    `By:     ${textOf(move['actor'])}, ${textOf(move['verb'])}`,
    `Date:   ${time} (${elapsed} ago)`,
    ...(message === '' ? [] : ['', ...message.split('\n').map((line) => `    ${line}`)]),
  ];
  return `${lines.join('\n')}\n`;
}

function formatLine(title: string, move: JsonObject, back: number): string {
  const digest =
    textOf(move['newDigest'])
      .replace(/^sha256:/, '')
      .slice(0, 12) || '(none)      ';
  const message = textOf(move['message']).split('\n', 1)[0] ?? '';
  return `${digest} ${title}@{${back}} ${textOf(move['verb'])}${message === '' ? '' : `: ${message}`}\n`;
}
