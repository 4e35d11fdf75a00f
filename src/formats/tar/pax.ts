import { EngineError } from '../../base/errors.ts';

/**
 * Parses the records of a PAX extended header, `length key=value\n` each (POSIX pax, Extended Header). Keys and values are
 * latin1. A later record of a key wins, but GNU's sparse 0.0 form repeats two keys: these are returned in order as `repeated`.
 *
 * @throws {EngineError} invalidArgument when a record is malformed.
 */
export function parsePaxRecords(body: Buffer): {
  readonly records: Map<string, string>;
  readonly repeated: readonly (readonly [string, string])[];
} {
  const records = new Map<string, string>();
  const repeated: [string, string][] = [];
  let position = 0;
  while (position < body.length) {
    const space = body.indexOf(0x20, position);
    if (space < 0 || space - position > 10) throw malformed();
    const digits = body.toString('latin1', position, space);
    const length = Number(digits);
    const end = position + length;
    if (!/^\d+$/.test(digits) || end > body.length || end <= space || body[end - 1] !== 0x0a) throw malformed();
    const equals = body.indexOf(0x3d, space);
    if (equals < 0 || equals >= end || equals === space + 1) throw malformed();
    const key = body.toString('latin1', space + 1, equals);
    const value = body.toString('latin1', equals + 1, end - 1);
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') repeated.push([key, value]);
    else records.set(key, value);
    position = end;
  }
  return { records, repeated };
}

function malformed(): EngineError {
  return new EngineError('invalidArgument', 'tar: malformed PAX record');
}

/** Formats one PAX record; key and value are latin1. */
export function formatPaxRecord(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
