import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient, HijackedStream } from '../client/engine-client.ts';
import { demultiplex } from '../client/multiplex.ts';
import { isTerminal, terminalSize } from './session.ts';

/** What is connected to a process in a container. */
export interface StreamOptions {
  readonly stdin: boolean;
  readonly tty: boolean;
}

/**
 * Carries bytes between the terminal and a process until its output ends: stdin's end closes the process's input, output goes on. With a
 * terminal on both sides ours is raw meanwhile.
 */
export async function carryStreams(stream: HijackedStream, { stdin, tty }: StreamOptions): Promise<void> {
  const raw = tty && stdin && isTerminal('stdin');
  if (raw) await makeRaw();
  try {
    if (stdin) sendInput(stream);
    await writeOutput(stream.output, tty || !stream.multiplexed);
  } finally {
    if (raw) process.stdin.setRawMode(false);
    if (stdin) process.stdin.destroy();
    stream[Symbol.dispose]();
  }
}

/**
 * Lets every key go to the process, and its output come as it is. Node's raw mode still turns line feeds into carriage returns and line
 * feeds; leaving it brings everything back.
 */
async function makeRaw(): Promise<void> {
  process.stdin.setRawMode(true);
  const { spawnSync } = await import('node:child_process');
  // Where there is no stty, lines end in one carriage return more.
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}

/** Writes output to our stdout and stderr, as fast as they take it. */
export async function writeOutput(source: AsyncIterable<Buffer>, isRaw: boolean): Promise<void> {
  if (isRaw) {
    for await (const bytes of source) await write(process.stdout, bytes);
    return;
  }
  for await (const { stream, bytes } of demultiplex(source)) {
    await write(stream === 'stderr' ? process.stderr : process.stdout, bytes);
  }
}

async function write(target: NodeJS.WriteStream, bytes: Buffer): Promise<void> {
  if (!target.write(bytes)) await new Promise((resolve) => void target.once('drain', resolve));
}

function sendInput({ input }: HijackedStream): void {
  const { stdin } = process;
  // A process that has gone takes no more input; its end is told by its output.
  input.on('error', () => stdin.pause());
  input.on('close', () => stdin.pause());
  stdin.on('error', () => input.end());
  stdin.pipe(input);
}

/**
 * Tells the engine the size of our terminal, now and whenever it changes. The process may not be there yet, so the first time is tried
 * for a while.
 */
export function followTerminalSize(engine: EngineClient, path: string): Disposable {
  const resize = async (): Promise<void> => {
    const size = terminalSize();
    if (!size || size.rows === 0) return;
    await engine.text('POST', path, { query: { h: size.rows, w: size.columns } });
  };
  const first = async (): Promise<void> => {
    for (let attempt = 0; attempt < 10; attempt++) {
      try {
        return await resize();
      } catch {
        await sleep(10 * (attempt + 1));
      }
    }
  };
  // A terminal that cannot be told its size still works.
  const onResize = (): void => void resize().catch(() => undefined);
  void first();
  process.stdout.on('resize', onResize);
  return { [Symbol.dispose]: () => void process.stdout.off('resize', onResize) };
}
