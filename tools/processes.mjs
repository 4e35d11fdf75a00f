// Background processes by pid file, and who holds a port or socket. Parses on Node 18.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Returns the pid in a pid file when that process still runs the given program. */
export function runningPid(directory, name) {
  const file = path.join(directory, `${name}.pid`);
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, 'utf8'));
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${name === 'engine' ? 'daemon' : name}\0`)
      ? pid
      : undefined;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Starts a program of its own session, with a log and a pid file. */
export function startInBackground(directory, name, file, args) {
  const log = openSync(path.join(directory, `${name}.log`), 'a');
  const child = spawn(file, args, { detached: true, stdio: ['ignore', log, log] });
  child.unref();
  writeFileSync(path.join(directory, `${name}.pid`), `${child.pid}\n`);
  return child;
}

/** Ends a background process by its pid; waits for the end. */
export async function stopInBackground(directory, name) {
  const pid = runningPid(directory, name);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM');
    for (let attempt = 0; attempt < 200 && isAlive(pid); attempt++) await sleep(50);
    if (isAlive(pid)) throw new Error(`process ${pid} (${name}) does not end`);
  }
  rmSync(path.join(directory, `${name}.pid`), { force: true });
  return pid;
}

function isAlive(pid) {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return false;
    throw error;
  }
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Repeats `check` until it says true; fails with the log's end when the process dies or time is up. */
export async function waitUntil(check, child, log, what, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(50)) {
    if (await check()) return;
    if (child.exitCode !== null) break;
  }
  const tail = readFileSync(log, 'utf8').trim().split('\n').slice(-5).join('\n');
  throw new Error(`${what} did not come up:\n${tail}`);
}

/** Says who listens on a port or socket path: "pid 12 (name)"; undefined when nobody does. */
export function ownerOf(place) {
  const isPath = place.startsWith('/');
  const { stdout } = spawnSync('ss', [isPath ? '-xlpH' : '-ltnpH'], { encoding: 'utf8' });
  const line = (stdout ?? '')
    .split('\n')
    .find((candidate) => candidate.split(/\s+/).includes(place) || (!isPath && listensOn(candidate, place)));
  if (line === undefined) return undefined;
  const match = /\("([^"]+)",pid=(\d+)/.exec(line);
  return match ? `pid ${match[2]} (${match[1]})` : 'another process';
}

function listensOn(line, place) {
  const port = place.slice(place.lastIndexOf(':'));
  const local = line.trim().split(/\s+/)[3] ?? '';
  return ['0.0.0.0', '*', '[::]'].some((any) => local === `${any}${port}`);
}
