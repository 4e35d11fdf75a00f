import { closeSync, openSync } from 'node:fs';
import { EngineError } from '../base/errors.ts';
import { type BlobCompressor, createBlobCompressor } from './blob-compressor.ts';
import { LayerFileWriter } from './layer-file-writer.ts';
import { writeUpperTar } from './upper-tar.ts';
import type { PackTask, TaskResults } from './worker-tasks.ts';

/**
 * Makes a layer file and a compressed blob of an overlay's upper directory, reading it once; the caller flushes and renames
 * them, or removes them after an error.
 */
export async function packLayer(task: PackTask, onProgress: (bytes: number) => void): Promise<TaskResults['pack']> {
  const target = openSync(task.target, 'wx+', 0o444);
  let compressor: BlobCompressor | undefined;
  try {
    compressor = createBlobCompressor(task.compression, task.blob);
    const writer = new LayerFileWriter(target);
    const running = compressor;
    let bytesWritten = 0;
    writeUpperTar(task.upperDirectory, (bytes) => {
      writer.write(bytes);
      running.write(bytes);
      bytesWritten += bytes.length;
      onProgress(bytesWritten);
    });
    const written = writer.finish(
      undefined,
      () => new EngineError('internal', 'a packed layer has no expected digest'),
    );
    const blob = await compressor.finish(task.target, written.header);
    return { ...written, blobDigest: blob.digest, blobSizeBytes: blob.sizeBytes };
  } finally {
    compressor?.close();
    closeSync(target);
  }
}
