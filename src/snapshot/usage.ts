import { lstat, readdir } from 'node:fs/promises';
import { isErrorCode } from '../base/errors.ts';

/** Bytes on disk of everything below a directory, hard links counted once. What vanishes meanwhile is not counted. */
export async function diskUsage(directory: string): Promise<number> {
  const seen = new Set<bigint>();
  let blocks = 0n;
  const stack: Buffer[] = [Buffer.from(directory)];
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    try {
      for (const entry of await readdir(path, { encoding: 'buffer', withFileTypes: true })) {
        const child = Buffer.concat([path, Buffer.from('/'), entry.name]);
        const status = await lstat(child, { bigint: true });
        if (status.isDirectory()) stack.push(child);
        else if (status.nlink > 1n && seen.has(status.ino)) continue;
        else if (status.nlink > 1n) seen.add(status.ino);
        blocks += status.blocks;
      }
    } catch (error) {
      if (!isErrorCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
  }
  return Number(blocks) * 512;
}
