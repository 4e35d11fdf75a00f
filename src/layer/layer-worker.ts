/** Entry of a layer worker: runs one task after the other. */
import { parentPort } from 'node:worker_threads';
import { EngineError, isErrorCode, kindOf, messageOf, unreachable } from '../base/errors.ts';
import { expandLayer } from './directory-expand.ts';
import { importLayer } from './import-task.ts';
import { LayerDigestError } from './layer-digest-error.ts';
import { packLayer } from './pack-task.ts';
import { buildVariant } from './variant-task.ts';
import type { LayerTask, SentError, TaskMessage, WorkerMessage } from './worker-tasks.ts';

const progressStepBytes = 1024 * 1024;

parentPort?.on('message', ({ task, cancel }: TaskMessage) => {
  const flag = new Int32Array(cancel);
  let told = 0;
  const onProgress = (bytes: number): void => {
    if (Atomics.load(flag, 0) !== 0) throw new EngineError('cancelled', `${task.kind} of a layer was cancelled`);
    if (bytes - told < progressStepBytes) return;
    told = bytes;
    send({ type: 'progress', bytes });
  };
  run(task, onProgress).then(
    (result) => send({ type: 'done', result }),
    (error: unknown) => send({ type: 'failed', error: sentError(error) }),
  );
});

async function run(task: LayerTask, onProgress: (bytes: number) => void): Promise<unknown> {
  switch (task.kind) {
    case 'import':
      return await importLayer(task, onProgress);
    case 'pack':
      return await packLayer(task, onProgress);
    case 'variant':
      return buildVariant(task);
    case 'expand':
      return expandLayer(task, onProgress);
    default:
      return unreachable(task);
  }
}

function send(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

function sentError(error: unknown): SentError {
  return {
    // The caller cannot see the code of a system error.
    kind: isErrorCode(error, 'ENOSPC', 'EDQUOT') ? 'resourceExhausted' : kindOf(error),
    message: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
    ...(error instanceof LayerDigestError ? { mismatch: { expected: error.expected, actual: error.actual } } : {}),
  };
}
