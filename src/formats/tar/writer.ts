import { EngineError } from '../../base/errors.ts';
import type { TarEntry, TarType } from './entry.ts';
import { headerSum, writeOctal } from './numbers.ts';
import { formatPaxRecord } from './pax.ts';

/** What a header is made of. */
export type TarMember = Omit<TarEntry, 'dataOffset' | 'segments'>;

/** What ends an archive. */
export const tarEnd: Buffer = Buffer.alloc(1024);

const typeFlags: Readonly<Record<TarType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/**
 * Returns the header of a member: one USTAR block, with a PAX header in front of it where that cannot say everything (names
 * over 100 bytes, large numbers, fractions of seconds, attributes). The same member gives the same bytes.
 */
export function formatTarHeader(member: TarMember): Buffer {
  const records = paxRecords(member);
  const header = ustarHeader(member, typeFlags[member.type]);
  if (records === '') return header;
  const body = Buffer.from(records, 'latin1');
  const name = member.path.replace(/\/$/, '').split('/').pop() ?? '';
  const extended: TarMember = {
    ...member,
    path: `PaxHeaders.0/${name.slice(0, 87)}`,
    type: 'file',
    mode: 0o644,
    sizeBytes: body.length,
    linkTarget: '',
    deviceMajor: 0,
    deviceMinor: 0,
  };
  return Buffer.concat([ustarHeader(extended, 'x'), body, tarPadding(body.length), header]);
}

/** Returns what follows a body of this length. */
export function tarPadding(sizeBytes: number): Buffer {
  return tarEnd.subarray(0, (512 - (sizeBytes % 512)) % 512);
}

function paxRecords(member: TarMember): string {
  const records: [string, string][] = [];
  if (member.path.length > 100) records.push(['path', member.path]);
  if (member.linkTarget.length > 100) records.push(['linkpath', member.linkTarget]);
  if (member.sizeBytes >= 8 ** 11) records.push(['size', String(member.sizeBytes)]);
  if (member.uid >= 8 ** 7) records.push(['uid', String(member.uid)]);
  if (member.gid >= 8 ** 7) records.push(['gid', String(member.gid)]);
  const { mtimeSeconds, mtimeNanoseconds } = member;
  if (mtimeNanoseconds !== 0 || mtimeSeconds < 0 || mtimeSeconds >= 8 ** 11) {
    records.push(['mtime', formatTime(mtimeSeconds, mtimeNanoseconds)]);
  }
  const xattrs = [...(member.xattrs ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of xattrs) records.push([`SCHILY.xattr.${name}`, value.toString('latin1')]);
  return records.map(([key, value]) => formatPaxRecord(key, value)).join('');
}

/** Seconds are rounded down in members, towards zero in PAX. */
function formatTime(seconds: number, nanoseconds: number): string {
  const negative = seconds < 0;
  const whole = negative && nanoseconds > 0 ? seconds + 1 : seconds;
  const fraction = negative && nanoseconds > 0 ? 1_000_000_000 - nanoseconds : nanoseconds;
  const digits = fraction === 0 ? '' : `.${String(fraction).padStart(9, '0').replace(/0+$/, '')}`;
  return `${negative ? '-' : ''}${Math.abs(whole)}${digits}`;
}

function ustarHeader(member: TarMember, flag: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(member.path.slice(0, 100), 0, 'latin1');
  writeOctal(header, 100, 8, member.mode);
  // Where a number does not fit, PAX has it; the field says 0 then, as other writers do.
  writeOrZero(header, 108, 8, member.uid);
  writeOrZero(header, 116, 8, member.gid);
  writeOrZero(header, 124, 12, member.sizeBytes);
  writeOrZero(header, 136, 12, member.mtimeSeconds);
  header.write(flag, 156, 'latin1');
  header.write(member.linkTarget.slice(0, 100), 157, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  if (!writeOctal(header, 329, 8, member.deviceMajor) || !writeOctal(header, 337, 8, member.deviceMinor)) {
    throw new EngineError('invalidArgument', `tar: device number of ${JSON.stringify(member.path)} is too large`);
  }
  header.write(`${headerSum(header).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function writeOrZero(header: Buffer, start: number, length: number, value: number): void {
  if (!writeOctal(header, start, length, value)) writeOctal(header, start, length, 0);
}
