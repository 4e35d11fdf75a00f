import { EngineError } from '../../base/errors.ts';
import { readFileInRoot } from '../../host/open-in-root.ts';
import type { SpecUser } from './input.ts';

const MAX_ID = 2 ** 31 - 1;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** A user as the container's own files tell it. */
export interface ResolvedUser extends SpecUser {
  readonly additionalGids: readonly number[];
  /** From /etc/passwd; `/` when it is not there. */
  readonly home: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Resolves `user[:group]` (names or numbers; empty is root) and additional groups by /etc/passwd and /etc/group inside the
 * root file system, without following links out of it.
 *
 * @throws {EngineError} invalidArgument in Docker's words for unknown names and numbers out of range.
 */
export function resolveUser(rootfs: string, user: string, additionalGroups: readonly string[] = []): ResolvedUser {
  return resolveUserIn(readLines(rootfs, '/etc/passwd'), readLines(rootfs, '/etc/group'), user, additionalGroups);
}

/** As {@link resolveUser}, over the lines of the two files. */
export function resolveUserIn(
  passwd: readonly string[],
  group: readonly string[],
  user: string,
  additionalGroups: readonly string[] = [],
): ResolvedUser {
  const [userPart, groupPart] = splitOnce(user);
  const groups = group.map(parseGroup).filter((entry) => entry !== undefined);
  const entry = findUser(passwd, userPart);
  const uid = entry?.uid ?? numericId(userPart, 'user', 'passwd');
  const gid = groupPart === '' ? (entry?.gid ?? 0) : findGroup(groups, groupPart);
  const member =
    groupPart === '' && entry
      ? groups.filter(({ members }) => members.includes(entry.name)).map((each) => each.gid)
      : [];
  const added = additionalGroups.map((name) => findGroup(groups, name));
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...member, ...added])],
    home: entry?.home === undefined || entry.home === '' ? '/' : entry.home,
  };
}

function findUser(passwd: readonly string[], user: string): PasswdEntry | undefined {
  const wanted = user === '' ? '0' : user;
  const entries = passwd.map(parsePasswd).filter((entry) => entry !== undefined);
  const byName = entries.find((entry) => entry.name === wanted);
  if (byName) return checkedEntry(byName);
  const found = isNumeric(wanted) ? entries.find((entry) => entry.uid === Number(wanted)) : undefined;
  if (found) return checkedEntry(found);
  return user === '' ? { name: 'root', uid: 0, gid: 0, home: '/' } : undefined;
}

function checkedEntry(entry: PasswdEntry): PasswdEntry {
  checkRange(entry.uid);
  checkRange(entry.gid);
  return entry;
}

function findGroup(groups: readonly GroupEntry[], wanted: string): number {
  const found = groups.find(({ name }) => name === wanted);
  if (!found) return numericId(wanted, 'group', 'group');
  checkRange(found.gid);
  return found.gid;
}

function numericId(text: string, kind: 'user' | 'group', file: string): number {
  if (!isNumeric(text)) {
    throw new EngineError('invalidArgument', `unable to find ${kind} ${text}: no matching entries in ${file} file`);
  }
  const id = Number(text);
  checkRange(id);
  return id;
}

function checkRange(id: number): void {
  if (id < 0 || id > MAX_ID) throw new EngineError('invalidArgument', `uids and gids must be in range 0-${MAX_ID}`);
}

function isNumeric(text: string): boolean {
  return /^-?[0-9]{1,20}$/.test(text);
}

function splitOnce(user: string): readonly [string, string] {
  const colon = user.indexOf(':');
  return colon < 0 ? [user, ''] : [user.slice(0, colon), user.slice(colon + 1)];
}

function parsePasswd(line: string): PasswdEntry | undefined {
  const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
  if (!isNumeric(uid) || !isNumeric(gid)) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), home };
}

function parseGroup(line: string): GroupEntry | undefined {
  const [name = '', , gid = '', members = ''] = line.split(':');
  return isNumeric(gid) ? { name, gid: Number(gid), members: members.split(',') } : undefined;
}

function readLines(rootfs: string, file: string): readonly string[] {
  const text = readFileInRoot(rootfs, file, MAX_FILE_BYTES)?.toString('utf8') ?? '';
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}
