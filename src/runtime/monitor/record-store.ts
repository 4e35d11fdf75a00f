import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ProcessRecord } from './protocol.ts';

/** The records of all processes, one file each, for the monitor's successor. Synchronous: on tmpfs this is cheaper than waiting. */
export class RecordStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  save(record: ProcessRecord): void {
    const file = this.#file(record.id);
    writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  remove(id: string): void {
    rmSync(this.#file(id), { force: true });
  }

  load(): readonly ProcessRecord[] {
    return readdirSync(this.#directory)
      .filter((name) => name.endsWith('.json'))
      .map((name) => JSON.parse(readFileSync(path.join(this.#directory, name), 'utf8')) as ProcessRecord);
  }

  #file(id: string): string {
    return path.join(this.#directory, `${id}.json`);
  }
}
