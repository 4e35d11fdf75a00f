/** A small ext4 in a file whose content reaches that file only when somebody flushes it: what power loss leaves is a copy of it. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runCommand } from '../harness/command.ts';

async function must(program: string, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runCommand(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} exits with ${code}: ${stderr}`);
}

/** A mounted file system in a file. */
export interface LoopFileSystem extends AsyncDisposable {
  readonly directory: string;
  /** Copies what has been written through, as a power loss would find it, and mounts the copy. */
  snapshot(name: string): Promise<LoopFileSystem>;
}

/** Makes one below `folder`; its journal commits only when it is told to. */
export async function makeLoopFileSystem(folder: string, sizeMegabytes: number): Promise<LoopFileSystem> {
  const file = path.join(folder, 'disk.img');
  await must('truncate', '-s', `${sizeMegabytes}M`, file);
  await must('mkfs.ext4', '-q', '-F', '-O', '^has_journal,has_journal', file);
  return mountFile(folder, file, 'disk');
}

async function mountFile(folder: string, file: string, name: string): Promise<LoopFileSystem> {
  const directory = path.join(folder, name);
  await mkdir(directory);
  await must('mount', '-o', 'loop,commit=3600', file, directory);
  return {
    directory,
    snapshot: async (copyName) => {
      const copy = path.join(folder, `${copyName}.img`);
      await must('cp', '--sparse=always', file, copy);
      return mountFile(folder, copy, copyName);
    },
    [Symbol.asyncDispose]: async () => {
      await must('umount', directory);
      await rm(directory, { recursive: true });
      await rm(file);
    },
  };
}

/** Stops the kernel's periodic write-back on this machine until disposed: nothing gets to a disk unasked. */
export async function freezeWriteback(): Promise<AsyncDisposable> {
  const file = '/proc/sys/vm/dirty_writeback_centisecs';
  const before = await readFile(file, 'utf8');
  await writeFile(file, '0');
  return { [Symbol.asyncDispose]: () => writeFile(file, before) };
}
