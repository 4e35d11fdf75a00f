/** An engine in a process of its own, run from the sources. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { requestOn } from './http.ts';
import { runCommand } from './command.ts';

const program = path.join(import.meta.dirname, 'daemon.ts');

/** Where an engine keeps its things, and what else it is told. */
export interface EngineSettings {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly logFile: string;
  readonly flags: readonly string[];
}

/** Starts, kills and restarts one engine. */
export class EngineProcess {
  readonly settings: EngineSettings;
  #child: ChildProcess | undefined;
  #started = false;

  constructor(settings: EngineSettings) {
    this.settings = settings;
  }

  get socketPath(): string {
    return path.join(this.settings.execRoot, 'slipway.sock');
  }

  /** Whether it has ever answered: what never did has nothing to be taken down by itself. */
  get started(): boolean {
    return this.#started;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    assert.ok(pid !== undefined, 'the engine runs');
    return pid;
  }

  /** Starts the engine and waits until it answers. */
  async start(): Promise<void> {
    const log = openSync(this.settings.logFile, 'a', 0o600);
    try {
      this.#child = spawn(process.execPath, [program, ...this.#roots(), ...this.settings.flags], {
        stdio: ['ignore', log, log],
      });
    } finally {
      closeSync(log);
    }
    const child = this.#child;
    for (let attempt = 0; attempt < 400; attempt++) {
      if (child.exitCode !== null || child.signalCode !== null) break;
      try {
        if ((await requestOn(this.socketPath, 'GET', '/_ping', { timeoutMs: 2000 })).status === 200) {
          this.#started = true;
          return;
        }
      } catch {
        // It does not listen yet.
      }
      await delay(25);
    }
    throw new Error(`the engine does not start:\n${this.log()}`);
  }

  /** Everything the engine has written to its log. */
  log(): string {
    return readFileSync(this.settings.logFile, 'utf8');
  }

  /** Ends the engine: with SIGTERM in the way of an administrator, with SIGKILL at any instant. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(timer);
  }

  /** The process that owns the containers' streams. */
  async monitorPid(): Promise<number> {
    const socket = path.join(this.settings.execRoot, 'monitor.sock');
    const { stdout } = await runCommand('ss', ['-xlpH']);
    const line = stdout.split('\n').find((text) => text.includes(`${socket} `));
    const pid = /"slipway-monitor",pid=(\d+)/.exec(line ?? '')?.[1];
    assert.ok(pid !== undefined, `a monitor listens on ${socket}`);
    return Number(pid);
  }

  /** Stops all containers and takes everything but the data root off the machine. */
  async tearDown(): Promise<void> {
    await this.end('SIGTERM');
    const { code, stderr } = await runCommand(process.execPath, [program, 'tear-down', ...this.#roots()], {
      timeoutMs: 60_000,
    });
    assert.equal(code, 0, `tear-down: ${stderr}`);
  }

  #roots(): readonly string[] {
    return ['--data-root', this.settings.dataRoot, '--exec-root', this.settings.execRoot];
  }
}
