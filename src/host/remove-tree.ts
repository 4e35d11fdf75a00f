import { readdir, rmdir, unlink } from 'node:fs/promises';
import { isErrorCode } from '../base/errors.ts';

/**
 * Removes a directory with all that is in it, whatever bytes the names are made of (`fs.rm` fails on names that are not
 * UTF-8). Links are removed, not followed. Nothing happens when it is not there. Nobody else may write to it meanwhile.
 */
export async function removeTree(directory: string | Buffer): Promise<void> {
  const path = Buffer.from(directory);
  let entries;
  try {
    entries = await readdir(path, { encoding: 'buffer', withFileTypes: true });
  } catch (error) {
    if (isErrorCode(error, 'ENOENT')) return;
    if (!isErrorCode(error, 'ENOTDIR')) throw error;
    await unlink(path);
    return;
  }
  for (const entry of entries) {
    const child = Buffer.concat([path, Buffer.from('/'), entry.name]);
    if (entry.isDirectory()) await removeTree(child);
    else await unlink(child);
  }
  await rmdir(path);
}
