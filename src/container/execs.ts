import { EngineError } from '../base/errors.ts';
import { deferred, type Deferred } from '../base/concurrency.ts';
import { newId } from '../base/ids.ts';
import type { Attachment, AttachRequest, ProcessExit, TerminalSize } from '../runtime/process-host.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import { execProcess } from './bundle.ts';
import type { ExecConfig } from './exec-config.ts';
import { publishContainerEvent, type ContainerContext } from './context.ts';
import type { ContainerInstance } from './instance.ts';
import { isRunning } from './lifecycle.ts';
import { requireRunning } from './registry.ts';

/** An exec as `inspect` shows it. */
export interface ExecRecord {
  readonly id: string;
  readonly containerId: string;
  readonly config: ExecConfig;
  readonly state: 'created' | 'running' | 'exited';
  readonly pid: number;
  readonly exitCode?: number;
}

interface ExecInstance {
  record: ExecRecord;
  readonly ended: Deferred<void>;
}

/** Ended execs are forgotten some time later, as docker does. */
const keptAfterEndMs = 5 * 60_000;

/** Processes started in running containers. They live in memory: a restarted engine knows those that still run from the monitor. */
export class Execs {
  readonly #context: ContainerContext;
  readonly #byId = new Map<string, ExecInstance>();

  constructor(context: ContainerContext) {
    this.#context = context;
  }

  /** @throws {EngineError} invalidArgument without a command, conflict when the container does not run or is paused */
  create(container: ContainerInstance, config: ExecConfig): ExecRecord {
    if (config.command.length === 0) throw new EngineError('invalidArgument', 'No exec command specified');
    requireRunning(container.record);
    this.#requireUnpaused(container);
    const record: ExecRecord = { id: newId(), containerId: container.record.id, config, state: 'created', pid: 0 };
    this.#byId.set(record.id, { record, ended: deferred<void>() });
    container.addExec(record.id);
    this.#publish(container, `exec_create: ${config.command.join(' ')}`, record.id);
    return record;
  }

  #requireUnpaused(container: ContainerInstance): void {
    if (container.record.state.status !== 'paused') return;
    throw new EngineError(
      'conflict',
      `Container ${container.record.name} is paused, unpause the container before exec`,
    );
  }

  /** @throws {EngineError} notFound in docker's words */
  get(id: string): ExecRecord {
    return this.#instance(id).record;
  }

  #instance(id: string): ExecInstance {
    const instance = this.#byId.get(id) ?? this.#byPrefix(id);
    if (!instance) throw new EngineError('notFound', `No such exec instance: ${id}`);
    return instance;
  }

  #byPrefix(id: string): ExecInstance | undefined {
    if (!/^[0-9a-f]{4,}$/.test(id)) return undefined;
    const matches = [...this.#byId.keys()].filter((known) => known.startsWith(id));
    return matches.length === 1 ? this.#byId.get(matches[0] ?? '') : undefined;
  }

  /**
   * Starts an exec once. Without `streams` it runs detached.
   *
   * @throws {EngineError} conflict when it ran already or its container does not run; invalidArgument in docker's words when
   * there is no such program.
   */
  async start(
    id: string,
    streams: AttachRequest | undefined,
    overrides: { readonly size?: TerminalSize } = {},
  ): Promise<Attachment | undefined> {
    const exec = this.#instance(id);
    const { config, containerId, state } = exec.record;
    const container = this.#context.registry.get(containerId);
    if (state !== 'created')
      throw new EngineError('conflict', `Error: Exec command ${exec.record.id} is already running`);
    requireRunning(container.record);
    this.#requireUnpaused(container);
    exec.record = { ...exec.record, state: 'running' };
    this.#publish(container, `exec_start: ${config.command.join(' ')}`, exec.record.id);
    try {
      const process = await execProcess(this.#context, container.record, config);
      const size = overrides.size ?? config.size;
      const { status, attachment } = await this.#context.processes.exec(
        {
          id: exec.record.id,
          containerId,
          runtime: process.runtime,
          process: process.process,
          stdio: {
            terminal: config.terminal,
            openStdin: streams?.stdin ?? false,
            stdinOnce: true,
            ...(size ? { size } : {}),
          },
        },
        streams,
      );
      if (exec.record.state === 'running') exec.record = { ...exec.record, pid: status.pid };
      return attachment;
    } catch (error) {
      const exitCode = error instanceof RuntimeError ? error.exitCode : 126;
      this.#end(exec, exitCode);
      if (!(error instanceof RuntimeError)) throw error;
      const kind = exitCode === 126 || exitCode === 127 ? 'invalidArgument' : 'internal';
      throw new EngineError(kind, `OCI runtime exec failed: exec failed: ${error.runtimeText}`, { cause: error });
    }
  }

  /** Records the end of an exec; returns whether there is such an exec. */
  handleExit(exit: ProcessExit): boolean {
    const exec = this.#byId.get(exit.id);
    if (!exec || exec.record.state === 'exited') return exec !== undefined;
    this.#end(exec, exit.exitCode);
    const container = this.#context.registry.find(exec.record.containerId);
    if (container) this.#publish(container, 'exec_die', exec.record.id, { exitCode: String(exit.exitCode) });
    return true;
  }

  #end(exec: ExecInstance, exitCode: number): void {
    exec.record = { ...exec.record, state: 'exited', exitCode, pid: 0 };
    exec.ended.resolve();
    this.#context.registry.find(exec.record.containerId)?.removeExec(exec.record.id);
    setTimeout(() => this.#byId.delete(exec.record.id), keptAfterEndMs).unref();
  }

  /** Settles when the exec has ended. */
  async wait(id: string): Promise<void> {
    await this.#instance(id).ended.promise;
  }

  /** @throws {EngineError} notFound, or conflict when it does not run */
  async resize(id: string, size: TerminalSize): Promise<void> {
    const { record } = this.#instance(id);
    const container = this.#context.registry.get(record.containerId);
    if (record.state !== 'running' || !isRunning(container.record.state)) {
      throw new EngineError('conflict', `cannot resize a stopped container: exec ${record.id} is not running`);
    }
    await this.#context.processes.resize(record.id, size);
  }

  #publish(
    container: ContainerInstance,
    action: string,
    execId: string,
    attributes: Readonly<Record<string, string>> = {},
  ): void {
    publishContainerEvent(this.#context, action, container.record, { execID: execId, ...attributes });
  }
}
