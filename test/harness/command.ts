/** Commands with time limits: a hang fails the test that met it, and nothing else. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

/** What a command has left behind. */
export interface CommandResult {
  /** The exit code; 137 when the time limit killed it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command is run. */
export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** What it reads; nothing by default. */
  readonly input?: string | Uint8Array | Readable;
  /** Thirty seconds by default. */
  readonly timeoutMs?: number;
  /** Takes standard output instead of `stdout`, which is empty then. */
  readonly onOutput?: (bytes: Buffer) => void;
}

/** Runs a command to its end; past its time it is killed, and the code is 137. Never rejects for an exit code. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: options.env ?? process.env, stdio: ['pipe', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    const complaints: Buffer[] = [];
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 30_000);
    child.stdout.on('data', (bytes: Buffer) => (options.onOutput ? options.onOutput(bytes) : output.push(bytes)));
    child.stderr.on('data', (bytes: Buffer) => complaints.push(bytes));
    // A command that ends before it has read everything is none of our business.
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const stderr = Buffer.concat(complaints).toString('utf8');
      resolve({
        code: code ?? (signal === 'SIGKILL' ? 137 : 128),
        stdout: Buffer.concat(output).toString('utf8'),
        stderr: signal === null ? stderr : `${stderr}(${command} ${args.join(' ')}: ended by ${signal})`,
      });
    });
    const { input } = options;
    if (input === undefined || typeof input === 'string' || input instanceof Uint8Array) child.stdin.end(input ?? '');
    else input.pipe(child.stdin);
  });
}
