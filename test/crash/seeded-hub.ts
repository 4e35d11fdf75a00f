import path from 'node:path';
import { createHub } from '../../src/hub/hub.ts';
import { runCommand } from '../harness/command.ts';

const seedProgram = path.resolve(import.meta.dirname, '../../tools/seed-images.ts');

/** Starts a Hub with busybox and hello-world below `folder`. */
export async function openSeededHub(folder: string): Promise<{ readonly address: string } & AsyncDisposable> {
  const hub = await createHub({ dataRoot: path.join(folder, 'hub'), listen: '127.0.0.1:0' });
  const { code, stderr } = await runCommand(
    process.execPath,
    [seedProgram, hub.address, path.join(folder, 'seed'), 'busybox', 'hello-world'],
    {
      timeoutMs: 120_000,
    },
  );
  if (code === 0) return hub;
  await hub[Symbol.asyncDispose]();
  throw new Error(`seeding failed: ${stderr}`);
}
