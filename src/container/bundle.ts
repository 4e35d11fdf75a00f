/**
 * What the OCI runtime is given for a container:
 *
 * ```
 * EXEC_ROOT/bundles/ID/config.json     the runtime-spec, made anew at each start
 * DATA_ROOT/containers/ID/hostname, hosts, resolv.conf   mounted over the files in /etc
 * DATA_ROOT/containers/ID/ID-json.log  what the program printed
 * ```
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { release } from 'node:os';
import { EngineError } from '../base/errors.ts';
import { makeDirectoryInRoot } from '../host/directory-in-root.ts';
import type { AttachNetworkRequest } from '../network/container-network.ts';
import type { ProcessStdio, TerminalSize } from '../runtime/process-host.ts';
import { compileSeccomp } from '../runtime/seccomp.ts';
import { createExecProcess, createSpec } from '../runtime/spec/create-spec.ts';
import { readAvailableCapabilities } from '../runtime/spec/capabilities.ts';
import { resolveUser } from '../runtime/spec/user.ts';
import type { ContainerContext } from './context.ts';
import type { ExecConfig } from './exec-config.ts';
import { writeNameFiles } from './name-files.ts';
import { portRequests } from './port-requests.ts';
import type { ContainerRecord } from './record.ts';
import { environmentOf, specInput } from './spec-input.ts';

/** A bundle ready to run. */
export interface Bundle {
  readonly directory: string;
  readonly cgroupsPath: string;
  readonly runtime: 'crun' | 'runc';
}

let availableCapabilities: Promise<readonly string[]> | undefined;

/** Writes a container's bundle. @throws {EngineError} invalidArgument in docker's words, as for an unknown user */
export async function prepareBundle(
  context: ContainerContext,
  record: ContainerRecord,
  rootfs: string,
): Promise<Bundle> {
  const { id, config, hostConfig } = record;
  const user = resolveUser(rootfs, config.User, hostConfig.GroupAdd ?? []);
  if (config.WorkingDir !== '') makeDirectoryInRoot(rootfs, config.WorkingDir, user);
  const nameFiles = await writeNameFiles(path.join(context.dataDirectory, id), record);
  const directory = path.join(context.bundleDirectory, id);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  availableCapabilities ??= readAvailableCapabilities();
  const runtime = runtimeOf(record);
  const cgroupsPath = path.posix.join('/', hostConfig.CgroupParent || context.cgroupParent, id);
  const input = await specInput(record, {
    rootfs,
    user,
    runtime,
    cgroupsPath,
    nameFiles,
    availableCapabilities: await availableCapabilities,
    kernelRelease: release(),
  });
  const spec = createSpec(input, { cgroupVersion: context.abilities.cgroupVersion, compileSeccomp });
  await writeFile(path.join(directory, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
  return { directory, cgroupsPath, runtime };
}

function runtimeOf({ hostConfig }: ContainerRecord): 'crun' | 'runc' {
  return hostConfig.Runtime === 'runc' ? 'runc' : 'crun';
}

/** Removes a container's bundle; nothing happens when there is none. */
export async function removeBundle(context: ContainerContext, id: string): Promise<void> {
  await rm(path.join(context.bundleDirectory, id), { recursive: true, force: true });
}

/** Where a container's output is kept; undefined when its log driver keeps none. */
export function logFileOf(context: ContainerContext, record: ContainerRecord): string | undefined {
  return record.hostConfig.LogConfig.Type === 'none'
    ? undefined
    : path.join(context.dataDirectory, record.id, `${record.id}-json.log`);
}

/** Returns what stdio a container's program gets. @throws {EngineError} invalidArgument for log options that make no sense */
export function stdioOf(context: ContainerContext, record: ContainerRecord): ProcessStdio {
  const { config, hostConfig } = record;
  const file = logFileOf(context, record);
  const [rows = 0, columns = 0] = hostConfig.ConsoleSize;
  return {
    terminal: config.Tty,
    openStdin: config.OpenStdin,
    stdinOnce: config.StdinOnce,
    ...(rows > 0 && columns > 0 ? { size: { rows, columns } } : {}),
    ...(file === undefined ? {} : { log: { file, ...logLimits(hostConfig.LogConfig.Config ?? {}) } }),
  };
}

/** Reads the options of the json-file driver. @throws {EngineError} invalidArgument */
export function logLimits(options: Readonly<Record<string, string>>): { maxSizeBytes?: number; maxFiles?: number } {
  const known = ['max-size', 'max-file'];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new EngineError('invalidArgument', `unknown log opt '${unknown}' for json-file log driver`);
  const { 'max-size': size, 'max-file': files } = options;
  const match = size === undefined ? undefined : /^(\d+)\s*([kmg]?)b?$/i.exec(size);
  if (match === null) throw new EngineError('invalidArgument', `invalid size: '${size ?? ''}'`);
  const maxFiles = files === undefined ? undefined : Number(files);
  if (maxFiles !== undefined && (!Number.isInteger(maxFiles) || maxFiles < 1))
    throw new EngineError('invalidArgument', 'max-file cannot be less than 1');
  if (maxFiles !== undefined && maxFiles > 1 && match === undefined)
    throw new EngineError('invalidArgument', 'max-file must be used with max-size');
  const units: Readonly<Record<string, number>> = { '': 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 };
  return {
    ...(match ? { maxSizeBytes: Number(match[1]) * (units[(match[2] ?? '').toLowerCase()] ?? 1) } : {}),
    ...(maxFiles === undefined ? {} : { maxFiles }),
  };
}

/** Returns what a container asks of its network. */
export function networkRequest(record: ContainerRecord): AttachNetworkRequest {
  const { id, name, config, hostConfig } = record;
  const { NetworkMode: mode } = hostConfig;
  return {
    containerId: id,
    containerName: name,
    mode: config.NetworkDisabled === true ? 'none' : mode === 'host' || mode === 'none' ? mode : 'bridge',
    ...(config.MacAddress === undefined ? {} : { macAddress: config.MacAddress }),
    sysctls: hostConfig.Sysctls ?? {},
    ports: mode === 'bridge' ? portRequests(config, hostConfig) : [],
  };
}

/** Returns the runtime's process object for an exec. @throws {EngineError} invalidArgument in docker's words */
export async function execProcess(
  context: ContainerContext,
  record: ContainerRecord,
  exec: ExecConfig,
): Promise<{ readonly process: object; readonly runtime: 'crun' | 'runc' }> {
  const rootfs = `/proc/${record.state.pid}/root`;
  const groups = exec.user === '' ? (record.hostConfig.GroupAdd ?? []) : [];
  const user = resolveUser(rootfs, exec.user || record.config.User, groups);
  availableCapabilities ??= readAvailableCapabilities();
  const runtime = runtimeOf(record);
  const input = await specInput(record, {
    rootfs,
    user,
    runtime,
    cgroupsPath: '',
    nameFiles: [],
    availableCapabilities: await availableCapabilities,
    kernelRelease: release(),
  });
  const process = createExecProcess(input, {
    ...input.process,
    args: exec.command,
    env: environmentOf(record, { home: user.home, terminal: exec.terminal, more: exec.environment }),
    cwd: exec.workingDirectory || record.config.WorkingDir || '/',
    user,
    terminal: exec.terminal,
    privileged: exec.privileged,
  });
  const sized: TerminalSize | undefined = exec.size;
  return {
    process: sized ? { ...process, consoleSize: { height: sized.rows, width: sized.columns } } : process,
    runtime,
  };
}
