/** A command on a terminal of its own, by script(1): typed into, read, resized. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from './command.ts';

/** How large a terminal is. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** A running command and its terminal. */
export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #ended: Promise<number>;
  #text = '';

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', (code) => resolve(code ?? 128)));
    child.stdout.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1');
    });
    child.stdin.on('error', () => undefined);
  }

  /** Starts a command; it is killed after `timeoutMs`, a minute by default. */
  static start(
    command: readonly string[],
    options: { readonly env: NodeJS.ProcessEnv; readonly size: TerminalSize; readonly timeoutMs?: number },
  ): Terminal {
    const { rows, columns } = options.size;
    const seconds = (options.timeoutMs ?? 60_000) / 1000;
    const quoted = command.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
    const line = `tty; stty rows ${rows} cols ${columns}; exec timeout --foreground -s KILL ${seconds} ${quoted}`;
    const child = spawn('script', ['-qfec', line, '/dev/null'], {
      env: { ...options.env, TERM: 'xterm', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return new Terminal(child);
  }

  /** Everything the terminal has shown. */
  get text(): string {
    return this.#text;
  }

  /** Types. */
  type(text: string): void {
    this.#child.stdin.write(Buffer.from(text, 'latin1'));
  }

  /** Waits until what was shown from position `from` on matches; returns the match. @throws Error after `timeoutMs` */
  async expect(pattern: RegExp, from: number = 0, timeoutMs: number = 15_000): Promise<RegExpExecArray> {
    for (const begin = Date.now(); Date.now() - begin < timeoutMs; await delay(10)) {
      const match = pattern.exec(this.#text.slice(from));
      if (match) return match;
    }
    throw new Error(`${String(pattern)} is not shown; the terminal has:\n${this.#text.slice(from)}`);
  }

  /** Types and waits for an answer to what was typed. */
  async ask(text: string, pattern: RegExp): Promise<RegExpExecArray> {
    const from = this.#text.length;
    this.type(text);
    return this.expect(pattern, from);
  }

  /** Gives the terminal another size, as dragging its window would. */
  async resize({ rows, columns }: TerminalSize): Promise<void> {
    const [device = ''] = await this.expect(/\/dev\/pts\/\d+/);
    await runCommand('stty', ['-F', device, 'rows', String(rows), 'cols', String(columns)]);
  }

  /** Waits for the command's end and returns its exit code. */
  async exitCode(timeoutMs: number = 15_000): Promise<number> {
    const late = delay(timeoutMs, undefined, { ref: false }).then(() => {
      throw new Error(`the command does not end; the terminal has:\n${this.#text}`);
    });
    return Promise.race([this.#ended, late]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
