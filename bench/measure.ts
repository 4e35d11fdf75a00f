import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';
import { isErrorCode } from '../src/base/errors.ts';
import type { Subject } from './subject.ts';

/** One raw sample. */
export interface Sample {
  readonly row: string;
  readonly subject: string;
  readonly round: number;
  readonly value: number;
  readonly load: number;
}

/** What measuring needs besides the subjects. */
export interface Bench {
  readonly dockerClient: string;
  readonly clientConfig: string;
  readonly samples: Sample[];
}

/** Times `work` in milliseconds and keeps the sample. */
export async function time(
  bench: Bench,
  row: string,
  subject: Subject,
  round: number,
  work: () => Promise<unknown>,
): Promise<void> {
  const begin = performance.now();
  await work();
  keep(bench, row, subject, round, performance.now() - begin);
}

/** Keeps a sample; round 0 warms up and is not kept. */
export function keep(bench: Bench, row: string, subject: Subject, round: number, value: number): void {
  if (round > 0) bench.samples.push({ row, subject: subject.name, round, value, load: loadavg()[0] ?? 0 });
}

/** Visits all subjects in every round, each time beginning with another one. Round 0 warms up. */
export async function interleave(
  subjects: readonly Subject[],
  rounds: number,
  work: (subject: Subject, round: number) => Promise<unknown>,
): Promise<void> {
  for (let round = 0; round <= rounds; round++) {
    for (let index = 0; index < subjects.length; index++) {
      const subject = subjects[(index + round) % subjects.length];
      if (subject) await work(subject, round);
    }
  }
}

const clientTimeoutMs = 600_000;

/** Runs the stock client. @throws {Error} with its words when it fails */
export async function docker(bench: Bench, subject: Subject, ...list: readonly string[]): Promise<string> {
  const child = spawn(bench.dockerClient, list, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', DOCKER_HOST: `unix://${subject.socket}`, DOCKER_CONFIG: bench.clientConfig },
    timeout: clientTimeoutMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let failure = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (failure += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${subject.name}: docker ${list.join(' ')}: exit ${code}: ${failure}`);
  return output;
}

/** Writes what a subject's file system holds back, so that no step pays for the one before. */
export function settle(subject: Subject): void {
  execFileSync('sync', ['-f', subject.directory]);
}

/** Proportional set size of a subject's processes without containers, in megabytes. */
export function memory(subject: Subject): number {
  return subject.pids().reduce((sum, pid) => sum + proportionalKilobytes(pid), 0) / 1024;
}

function proportionalKilobytes(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  } catch (error) {
    if (isErrorCode(error, 'ENOENT', 'ESRCH')) return 0;
    throw error;
  }
}
