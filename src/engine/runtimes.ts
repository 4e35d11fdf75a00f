import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { EngineError, isErrorCode } from '../base/errors.ts';

/** The OCI runtimes of this machine. */
export interface FoundRuntimes {
  readonly found: Readonly<Record<string, { readonly path: string; readonly version: string }>>;
  readonly paths: { readonly crun?: string; readonly runc?: string };
  /** The one that containers get unless they ask for another. */
  readonly preferred: string;
}

/** Looks for crun, preferred, and runc. @throws {EngineError} failedPrecondition when there is neither */
export async function findRuntimes(): Promise<FoundRuntimes> {
  const [crun, runc] = await Promise.all([findProgram('crun'), findProgram('runc')]);
  if (crun === undefined && runc === undefined) {
    throw new EngineError('failedPrecondition', 'no OCI runtime on this machine: install the package crun (or runc)');
  }
  const paths = { ...(crun === undefined ? {} : { crun }), ...(runc === undefined ? {} : { runc }) };
  return {
    found: Object.fromEntries(Object.entries(paths).map(([name, file]) => [name, { path: file, version: '' }])),
    paths,
    preferred: crun === undefined ? 'runc' : 'crun',
  };
}

/** Returns the path of a host program; undefined when it is not installed. */
export async function findProgram(name: string): Promise<string | undefined> {
  const directories = (process.env['PATH'] ?? '').split(':').filter(Boolean);
  for (const directory of [...directories, '/usr/sbin', '/sbin']) {
    const file = path.join(directory, name);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch (error) {
      if (!isErrorCode(error, 'ENOENT', 'EACCES', 'ENOTDIR')) throw error;
    }
  }
  return undefined;
}
