import { readFile } from 'node:fs/promises';

/** One mount of a mount namespace (proc(5), /proc/PID/mountinfo). */
export interface MountInfo {
  readonly id: number;
  readonly parent: number;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** Path of the mounted directory in its file system. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  /** `shared:N`, `master:N`, … */
  readonly propagation: readonly string[];
  readonly type: string;
  readonly source: string;
  /** Of the file system. Paths in them stay escaped as the file system wrote them. */
  readonly superOptions: readonly string[];
}

/** Returns the mounts of a process's mount namespace, in mount order: a later one covers an earlier one. */
export async function readMounts(process: number | 'self' = 'self'): Promise<readonly MountInfo[]> {
  return parseMountInfo(await readFile(`/proc/${process}/mountinfo`, 'latin1'));
}

/** Parses mountinfo text that was read as latin1. Lines that are not understood are left out. */
export function parseMountInfo(text: string): readonly MountInfo[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? []);
}

function parseLine(line: string): MountInfo | undefined {
  const fields = line.split(' ');
  const separator = fields.indexOf('-', 6);
  const [id, parent, device, root, mountPoint, options] = fields;
  const [type, source, superOptions] = fields.slice(separator + 1);
  if (separator < 0 || mountPoint === undefined || options === undefined || superOptions === undefined)
    return undefined;
  return {
    id: Number(id),
    parent: Number(parent),
    device: device ?? '',
    root: unescapePath(root ?? ''),
    mountPoint: unescapePath(mountPoint),
    options: options.split(','),
    propagation: fields.slice(6, separator),
    type: unescapePath(type ?? ''),
    source: unescapePath(source ?? ''),
    superOptions: superOptions.split(','),
  };
}

/** The kernel writes space, tab, newline, backslash and # as three octal digits; other bytes as they are. */
function unescapePath(text: string): string {
  const bytes = text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
