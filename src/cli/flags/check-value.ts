import { parseByteSize } from '../format/byte-sizes.ts';
import { parseDuration } from '../format/durations.ts';
import type { Flag } from './flag.ts';

/** Returns what is wrong with a flag's value, in the words of docker's client, or `undefined`. */
export function checkValue(flag: Flag, value: string): string | undefined {
  return checkType(flag, value) ?? flag.check?.(value);
}

function checkType({ type }: Flag, value: string): string | undefined {
  switch (type) {
    case 'bool':
      return /^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value)
        ? undefined
        : `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
    case 'int':
      return checkInteger('ParseInt', value, -(2n ** 63n), 2n ** 63n - 1n);
    case 'uint16':
      return checkInteger('ParseUint', value, 0n, 65535n);
    case 'bytes':
      return value === '-1' ? undefined : problemOf(() => parseByteSize(value));
    case 'duration':
      return problemOf(() => parseDuration(value));
    case 'decimal':
      return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)
        ? undefined
        : `failed to parse ${value} as a rational number`;
    case 'filter':
      return value === '' || value.includes('=') ? undefined : 'bad format of filter (expected name=value)';
    case 'gpu-request':
    case 'list':
    case 'map':
    case 'mount':
    case 'network':
    case 'string':
    case 'strings':
    case 'ulimit':
      return undefined;
  }
}

function checkInteger(how: string, value: string, least: bigint, most: bigint): string | undefined {
  const quoted = JSON.stringify(value);
  if (!/^[+-]?\d+$/.test(value) || (how === 'ParseUint' && !/^\d+$/.test(value))) {
    return `strconv.${how}: parsing ${quoted}: invalid syntax`;
  }
  const number = BigInt(value.replace(/^\+/, ''));
  return number < least || number > most ? `strconv.${how}: parsing ${quoted}: value out of range` : undefined;
}

function problemOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
