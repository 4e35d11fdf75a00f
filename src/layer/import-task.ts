import { closeSync, openSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { EngineError } from '../base/errors.ts';
import { decompressFile } from '../formats/compression/decompress.ts';
import { LayerDigestError } from './layer-digest-error.ts';
import { LayerFileWriter, type WrittenLayer } from './layer-file-writer.ts';
import type { ImportTask } from './worker-tasks.ts';

const spaceCheckBytes = 64 * 1024 * 1024;
/** What an unpacking layer leaves free: the engine's records and containers' writes must still find room. */
const reserveBytes = 256 * 1024 * 1024;

/** Unpacks a blob into a layer file; the caller flushes and renames it, or removes it after an error. */
export async function importLayer(task: ImportTask, onProgress: (bytes: number) => void): Promise<WrittenLayer> {
  const source = openSync(task.source, 'r');
  try {
    const target = openSync(task.target, 'wx+', 0o444);
    try {
      const writer = new LayerFileWriter(target);
      const space = new SpaceGuard(path.dirname(task.target));
      const sink = (bytes: Buffer): void => {
        space.take(bytes.length, task.diffId);
        writer.write(bytes);
      };
      await decompressFile(source, sink, { onConsumed: onProgress });
      return writer.finish(task.diffId, (actual) => new LayerDigestError(task.diffId, actual));
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/** Stops before a layer that decompresses without end has filled the disk. */
class SpaceGuard {
  readonly #directory: string;
  #unchecked = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  take(bytes: number, subject: string): void {
    this.#unchecked += bytes;
    if (this.#unchecked < spaceCheckBytes) return;
    this.#unchecked = 0;
    const { bavail, bsize } = statfsSync(this.#directory);
    if (bavail * bsize < reserveBytes) {
      throw new EngineError('resourceExhausted', `no space left on device: layer ${subject} would fill the disk`);
    }
  }
}
