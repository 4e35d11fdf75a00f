import { chownSync, closeSync, fstatSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { EngineError, isErrorCode } from '../base/errors.ts';
import { openInRoot } from './open-in-root.ts';

/** Who owns the directories that are made. */
export interface DirectoryOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes a directory with its parents below a directory that is `/` for it; neither `..` nor links lead out. What is there
 * already keeps its attributes.
 *
 * @throws {EngineError} invalidArgument when something on the way is no directory; SystemCallError for the rest.
 */
export function makeDirectoryInRoot(root: string, directory: string, owner: DirectoryOwner): void {
  const parts = path.posix.normalize(`/${directory}`).split('/').filter(Boolean);
  let made = '/';
  for (const part of parts) {
    const parent = openInRoot(root, made);
    try {
      mkdirSync(`/proc/self/fd/${parent}/${part}`, { mode: 0o755 });
      chownSync(`/proc/self/fd/${parent}/${part}`, owner.uid, owner.gid);
    } catch (error) {
      if (!isErrorCode(error, 'EEXIST')) throw error;
    } finally {
      closeSync(parent);
    }
    made = path.posix.join(made, part);
    requireDirectory(root, made);
  }
}

function requireDirectory(root: string, directory: string): void {
  const descriptor = openInRoot(root, directory);
  try {
    if (fstatSync(descriptor).isDirectory()) return;
  } finally {
    closeSync(descriptor);
  }
  throw new EngineError('invalidArgument', `Cannot mkdir: ${directory} is not a directory`);
}
