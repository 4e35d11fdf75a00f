import { constants } from 'node:os';

/**
 * Returns the number of a signal written as `9`, `KILL` or `SIGKILL`; `undefined` when there is none such. Real-time signals
 * are `RTMIN+n` and `RTMAX-n`.
 */
export function parseSignal(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= 64 ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime) {
    const [, end, sign, digits = '0'] = realTime;
    if (sign === (end === 'MIN' ? '-' : '+')) return undefined;
    const number = end === 'MIN' ? 34 + Number(digits) : 64 - Number(digits);
    return number >= 34 && number <= 64 ? number : undefined;
  }
  const number = (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
  return number === undefined || number === 0 ? undefined : number;
}
