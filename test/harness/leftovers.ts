/** What an engine could have left on the machine: each found by the names that derive from its exec root. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from './command.ts';

/** The suffix in the names of an engine's bridge, table and cgroups. */
export function engineHash(execRoot: string): string {
  return createHash('sha256').update(execRoot).digest('hex').slice(0, 8);
}

/** Returns a line for everything below or named after these roots that is still there: none after a clean end. */
export async function findLeftovers(execRoot: string, dataRoot: string): Promise<readonly string[]> {
  const hash = engineHash(execRoot);
  const links = await runCommand('ip', ['-br', 'link']);
  const tables = await runCommand('nft', ['list', 'tables']);
  return [
    ...mountsBelow(execRoot, dataRoot),
    ...(await processesOf(execRoot)),
    ...links.stdout.split('\n').filter((line) => line.includes(hash)),
    ...tables.stdout.split('\n').filter((line) => line.includes(hash)),
    ...cgroupsNamed(`slipway-${hash}`),
    ...(existsSync(execRoot) ? [`file ${execRoot}`] : []),
  ];
}

/** As `findLeftovers`, given a moment: the kernel takes links and cgroups away a little later. */
export async function settledLeftovers(execRoot: string, dataRoot: string): Promise<readonly string[]> {
  for (let attempt = 0; ; attempt++) {
    const left = await findLeftovers(execRoot, dataRoot);
    if (left.length === 0 || attempt === 20) return left;
    await delay(100);
  }
}

function mountsBelow(...roots: readonly string[]): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => roots.some((root) => target === root || target.startsWith(`${root}/`)))
    .map((target) => `mount ${target}`);
}

/** Processes whose command line, working directory, root or open files lie in the exec root. */
async function processesOf(execRoot: string): Promise<readonly string[]> {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => belongsTo(pid, execRoot))
    .map((pid) => `process ${pid} ${readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`);
}

function belongsTo(pid: string, execRoot: string): boolean {
  if (readText(`/proc/${pid}/cmdline`).includes(execRoot)) return true;
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) =>
      readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(`${execRoot}/`),
    );
  } catch {
    // Gone, or just going.
    return false;
  }
}

function cgroupsNamed(name: string): readonly string[] {
  const root = '/sys/fs/cgroup';
  const places = [root, ...readdirSync(root).map((controller) => `${root}/${controller}`)];
  return places.map((place) => `${place}/${name}`).filter(existsSync);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Gone in between.
    return '';
  }
}
