import { EngineError } from '../base/errors.ts';
import type { Subject } from '../formats/tar/numbers.ts';

const pathBytesLimit = 4096;
const nameBytesLimit = 255;

/**
 * Splits a path of an archive into its names: relative to the root whatever it begins with, without `.` and empty names.
 *
 * @throws {EngineError} invalidArgument for `..`, and for what no file system could hold.
 */
export function splitArchivePath(path: string, subject: Subject): string[] {
  if (path.length > pathBytesLimit) {
    throw new EngineError('invalidArgument', `layer: ${subject.toString()} is longer than ${pathBytesLimit} bytes`);
  }
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  for (const name of names) {
    if (name === '..') throw new EngineError('invalidArgument', `layer: ${subject.toString()} climbs with ".."`);
    if (name.length > nameBytesLimit) {
      throw new EngineError(
        'invalidArgument',
        `layer: ${subject.toString()} has a name longer than ${nameBytesLimit} bytes`,
      );
    }
  }
  return names;
}

/** Returns latin1 bytes as text for a message. */
export function displayPath(path: string): string {
  return JSON.stringify(Buffer.from(path, 'latin1').toString('utf8'));
}

/** A member of a layer's tar in a message; the text is made only when there is an error. */
export class MemberSubject {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  toString(): string {
    return `member ${displayPath(this.#path)}`;
  }
}
