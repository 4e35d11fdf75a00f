/** For tests: root file systems and bundles made of the machine's static busybox. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { newId } from '../base/ids.ts';
import { silentLogger } from '../base/log.ts';
import { createProcessHost, findRuntimes } from './create-process-host.ts';
import { readCgroupLayout, Cgroup } from './cgroup/cgroup.ts';
import type { MonitoredProcessHost } from './monitored-process-host.ts';
import type { Attachment, ProcessExit, ProcessStdio, RunRequest } from './process-host.ts';
import { compileSeccomp } from './seccomp.ts';
import { createSpec } from './spec/create-spec.ts';
import type { SpecInput } from './spec/input.ts';
import { readAvailableCapabilities } from './spec/capabilities.ts';

const applets =
  'sh ls cat echo sleep true false id stty seq dd yes head grep ps kill wc md5sum env pwd mknod mount touch tail mkdir hostname';

/** Why containers cannot be tested here; `false` when they can. */
export const cannotRun: string | false =
  process.getuid?.() !== 0
    ? 'needs root'
    : !existsSync('/bin/busybox')
      ? 'needs /bin/busybox'
      : !['/usr/bin/crun', '/usr/local/bin/crun'].some((file) => existsSync(file))
        ? 'needs crun'
        : false;

/** A place for one test's containers: a root file system, an exec root, a cgroup; all gone when disposed. */
export class TestBed implements AsyncDisposable {
  readonly execRoot: string = mkdtempSync('/run/sw-');
  readonly directory: string = mkdtempSync('/var/tmp/slipway-runtime-');
  readonly cgroupParent: string = path.basename(this.execRoot);
  readonly rootfs: string = path.join(this.directory, 'rootfs');
  readonly #hosts: MonitoredProcessHost[] = [];

  constructor() {
    for (const name of ['bin', 'proc', 'sys', 'dev', 'etc', 'tmp'])
      mkdirSync(path.join(this.rootfs, name), { recursive: true });
    copyFileSync('/bin/busybox', path.join(this.rootfs, 'bin/busybox'));
    for (const applet of applets.split(' ')) symlinkSync('busybox', path.join(this.rootfs, 'bin', applet));
    writeFileSync(path.join(this.rootfs, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nbin:x:2:3:bin:/bin:/bin/sh\n');
    writeFileSync(path.join(this.rootfs, 'etc/group'), 'root:x:0:\nbin:x:3:\nwheel:x:10:root,bin\n');
  }

  async connect(): Promise<MonitoredProcessHost> {
    const host = await createProcessHost({
      execRoot: this.execRoot,
      runtimes: await findRuntimes(),
      log: process.env['SLIPWAY_TEST_LOG'] === undefined ? silentLogger : console,
    });
    this.#hosts.push(host);
    return host;
  }

  /** Writes a bundle and returns the request to run it. */
  async prepare(
    args: readonly string[],
    stdio: Partial<ProcessStdio> = {},
    change: Partial<SpecInput> = {},
  ): Promise<RunRequest> {
    const id = newId();
    const bundle = path.join(this.directory, id);
    mkdirSync(bundle);
    const cgroupsPath = `/${this.cgroupParent}/${id}`;
    const process = {
      args,
      env: ['PATH=/bin'],
      user: { uid: 0, gid: 0 },
      terminal: stdio.terminal ?? false,
      ...change.process,
    };
    const input: SpecInput = {
      id,
      runtime: 'crun',
      cgroupsPath,
      hostname: id.slice(0, 12),
      rootfs: this.rootfs,
      namespaces: { network: { kind: 'none' } },
      availableCapabilities: await readAvailableCapabilities(),
      ...change,
      process,
    };
    const { version: cgroupVersion } = readCgroupLayout();
    writeFileSync(
      path.join(bundle, 'config.json'),
      JSON.stringify(createSpec(input, { cgroupVersion, compileSeccomp })),
    );
    const log = { file: path.join(bundle, 'json.log') };
    return {
      id,
      bundle,
      cgroupsPath,
      runtime: input.runtime,
      stdio: { terminal: false, openStdin: false, stdinOnce: false, log, ...stdio },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const layout = readCgroupLayout();
    const parent = new Cgroup(layout, `/${this.cgroupParent}`);
    const last = this.#hosts.at(-1);
    const ended = new Set<string>();
    last?.onExit(({ id }) => ended.add(id));
    parent.kill();
    if (last) {
      for (const { id } of await last.list()) {
        while (!ended.has(id)) await new Promise((resolve) => setTimeout(resolve, 5));
        await last.forget(id);
      }
      await last.stopMonitor();
    }
    for (const host of this.#hosts) await host[Symbol.asyncDispose]();
    while (!parent.remove()) await new Promise((resolve) => setTimeout(resolve, 5));
    rmSync(this.directory, { recursive: true });
    rmSync(this.execRoot, { recursive: true });
  }
}

/** Settles with the end of one process. */
export function exitOf(host: MonitoredProcessHost, id: string): Promise<ProcessExit> {
  return new Promise((resolve) => {
    const stop = host.onExit((exit) => {
      if (exit.id !== id) return;
      setImmediate(() => stop());
      resolve(exit);
    });
  });
}

/** Collects an attachment's output as text. */
export async function outputOf(attachment: Attachment | undefined): Promise<{ stdout: string; stderr: string }> {
  const chunks = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  for await (const { stream, bytes } of attachment?.output ?? []) chunks[stream].push(bytes);
  return { stdout: Buffer.concat(chunks.stdout).toString(), stderr: Buffer.concat(chunks.stderr).toString() };
}

/** Names in a directory, empty when it is not there. */
export function namesIn(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
