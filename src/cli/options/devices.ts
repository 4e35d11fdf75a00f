import { CommandError } from '../command-error.ts';
import { parseByteSize } from '../format/byte-sizes.ts';
import { keyValues } from './environment.ts';

/** Reads `--device`: `host[:container][:permissions]`. @throws {CommandError} */
export function parseDevice(value: string): Readonly<Record<string, string>> {
  const isMode = (text: string): boolean => /^(?!.*(.).*\1)[rwm]+$/.test(text);
  const [host = '', second, third, ...more] = value.split(':');
  if (host === '' || !host.startsWith('/')) throw new CommandError(`bad format for path: ${value}`);
  if (more.length > 0) throw new CommandError(`invalid device specification: ${value}`);
  if (third !== undefined && !isMode(third)) throw new CommandError(`bad mode specified: ${third}`);
  const onlyMode = third === undefined && second !== undefined && isMode(second);
  return {
    PathOnHost: host,
    PathInContainer: onlyMode ? host : second || host,
    CgroupPermissions: (onlyMode ? second : third) ?? 'rwm',
  };
}

/** Reads `device:number` flags, with sizes where `isSize`. */
export function parseDeviceRate(value: string, unit: 'bytes' | 'count'): Readonly<Record<string, unknown>> {
  const [Path = '', rate = ''] = value.split(':');
  return { Path, Rate: unit === 'bytes' ? parseByteSize(rate) : Number(rate) };
}

/** Reads `--gpus`: `all`, a number, or `count=…,device=…,capabilities=…,driver=…,options=…`. @throws {Error} in docker's words. */
export function parseGpus(value: string): Readonly<Record<string, unknown>> {
  const request: Record<string, unknown> = {};
  const capabilities = ['gpu'];
  for (const field of value.split(',')) {
    const [key, text] = field.includes('=') ? splitAt(field) : (['count', field] as const);
    if (key === 'count') request['Count'] = text === 'all' ? -1 : readCount(text);
    else if (key === 'device') request['DeviceIDs'] = text.split(',');
    else if (key === 'driver') request['Driver'] = text;
    else if (key === 'capabilities') capabilities.push(...text.split(','));
    else if (key === 'options') request['Options'] = keyValues(text.split(','));
    else throw new Error(`unexpected key '${key}' in '${field}'`);
  }
  if (request['Count'] === undefined && request['DeviceIDs'] === undefined) request['Count'] = 1;
  return { ...request, Capabilities: [[...new Set(capabilities)]] };
}

/** Returns what is wrong with a `--gpus`. */
export function checkGpus(value: string): string | undefined {
  try {
    parseGpus(value);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function readCount(text: string): number {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  throw new Error(`invalid count (${text}): value must be either "all" or an integer`);
}

function splitAt(field: string): [string, string] {
  const equals = field.indexOf('=');
  return [field.slice(0, equals), field.slice(equals + 1)];
}
