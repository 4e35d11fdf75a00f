import { existsSync, readFileSync } from 'node:fs';
import { EngineError, isErrorCode, messageOf } from '../../base/errors.ts';
import { closeDescriptor, duplicateDescriptor, openDescriptor } from '../../host/descriptor.ts';
import { openPidfd, readProcessState, shellExitCode } from '../../host/pidfd.ts';
import type { ChildExit } from '../../host/pidfd.ts';
import type { Pipe } from '../../host/pipe.ts';
import { readCgroupLayout } from '../cgroup/cgroup.ts';
import type { CgroupLayout } from '../cgroup/cgroup.ts';
import type { RuntimeSetup } from '../oci-runtime.ts';
import type { AttachRequest } from '../process-host.ts';
import { watchStranger } from './adopted-exit.ts';
import { cleanUpContainer, wasOutOfMemory } from './container-cleanup.ts';
import { SLOT_COUNT } from './journal.ts';
import type { Journal } from './journal.ts';
import { launchPaths, readPidFile, removeFiles } from './launch.ts';
import { MonitoredProcess } from './process.ts';
import { isValidId } from './protocol.ts';
import type {
  Descriptors,
  MonitorEvent,
  MonitorRequest,
  Positions,
  ProcessRecord,
  ProcessView,
  StartRequest,
} from './protocol.ts';
import { Pump } from './pump.ts';
import { Reaper } from './reaper.ts';
import { RecordStore } from './record-store.ts';
import { correctExecFailure, startProcess } from './starter.ts';

/** How long output may go on after the end before the end is told. */
const STREAMS_PATIENCE_MS = 1000;

interface Entry {
  readonly process: MonitoredProcess;
  /** The end was told to the engine. */
  told: boolean;
  forgotten: boolean;
  streamsEnded: () => void;
}

/*
 *   starting ──runtime ended well──▶ running ──pidfd, SIGCHLD──▶ dead ──streams ended, or 1 s──▶ told ──forget──▶ gone
 *       ╰────── failed: cleaned up, gone
 */

/** All processes of this host, from start to `forget`. */
export class ProcessTable {
  readonly #setup: RuntimeSetup;
  readonly #directory: string;
  readonly #journal: Journal;
  readonly #emit: (event: MonitorEvent) => void;
  readonly #layout: CgroupLayout = readCgroupLayout();
  readonly #records: RecordStore;
  readonly #reaper: Reaper = new Reaper();
  readonly #pump: Pump;
  readonly #entries: Map<string, Entry> = new Map();
  readonly #slots: (Entry | undefined)[] = [];
  #nextSlot = 0;

  constructor(
    setup: RuntimeSetup,
    directory: string,
    journal: Journal,
    staging: Pipe,
    emit: (event: MonitorEvent) => void,
  ) {
    this.#setup = setup;
    this.#directory = directory;
    this.#journal = journal;
    this.#emit = emit;
    this.#records = new RecordStore(`${directory}/processes`);
    this.#pump = new Pump(journal, staging, (slot) => this.#slots[slot]?.process);
  }

  get isEmpty(): boolean {
    return [...this.#entries.values()].every(({ process: { record } }) => record.state === 'dead');
  }

  list(): { readonly view: ProcessView; readonly descriptors: Descriptors }[] {
    return [...this.#entries.values()]
      .filter(({ process: { record } }) => record.state !== 'starting')
      .map(({ process, told }) => {
        const { exit: _exit, ...alive } = process.view();
        return { view: told ? process.view() : alive, descriptors: process.descriptors() };
      });
  }

  /** Starts a process; its output goes to `attachment` from the first byte on. @throws {StartError} */
  async start(
    request: StartRequest,
    attach: AttachRequest | undefined,
    attachment: number | undefined,
  ): Promise<MonitoredProcess> {
    let process: MonitoredProcess;
    try {
      process = this.#plan(request);
    } catch (error) {
      if (attachment !== undefined) closeDescriptor(attachment);
      throw error;
    }
    const { record } = process;
    if (attach && attachment !== undefined) process.attach(attachment, attach);
    try {
      const started = await startProcess(this.#setup, this.#directory, record, this.#reaper, (pid) =>
        this.#journal.setRuntimePid(record.slot, pid),
      );
      this.#run(process, started);
      return process;
    } catch (error) {
      await this.#removeFailed(process);
      throw error;
    }
  }

  attach(id: string, request: AttachRequest, fd: number): Positions {
    const entry = this.#entries.get(id);
    if (!entry || entry.process.record.state === 'starting') {
      closeDescriptor(fd);
      throw new EngineError('notFound', `process ${id} does not run`);
    }
    const positions = entry.process.positions();
    entry.process.attach(fd, request);
    return positions;
  }

  /** The engine has recorded the end. Output of surviving children goes on. @throws {EngineError} failedPrecondition */
  forget(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    if (entry.process.record.state !== 'dead') throw new EngineError('failedPrecondition', `process ${id} still runs`);
    entry.forgotten = true;
    this.#entries.delete(id);
    this.#records.remove(id);
    if (entry.process.hasEndedStreams) this.#free(entry);
  }

  /**
   * Takes over what a dead monitor left: records, what the engine kept of descriptors and clients, and the batch in work.
   * Synchronous, so nothing moves before all is in place.
   */
  adopt(
    kept: ReadonlyMap<string, Descriptors>,
    attachments: readonly { readonly fd: number; readonly request: MonitorRequest & { op: 'adoptAttachment' } }[],
    stagingIsNew: boolean,
  ): void {
    for (const record of this.#records.load()) {
      try {
        this.#adoptProcess(record, kept.get(record.id) ?? {});
      } catch (error) {
        // As when somebody removed the log's directory: the process is worth more than its log.
        console.error(`${record.id}: goes on without a log: ${messageOf(error)}`);
        const { log: _log, ...stdio } = record.stdio;
        this.#adoptProcess({ ...record, stdio }, kept.get(record.id) ?? {});
      }
    }
    for (const { fd, request } of attachments) {
      const entry = this.#entries.get(request.id);
      if (entry) entry.process.attach(fd, request.request, request.positions);
      else closeDescriptor(fd);
    }
    for (const { process } of this.#entries.values()) process.resendUnsent();
    this.#pump.recover(stagingIsNew);
    for (const entry of this.#entries.values()) this.#follow(entry, kept.get(entry.process.record.id)?.pidfd);
  }

  /** Undoes starts that were interrupted: who is in the cgroup decides, not what the runtime wrote down. */
  async settleInterrupted(): Promise<void> {
    const interrupted = [...this.#entries.values()].filter(({ process }) => process.record.state === 'starting');
    for (const { process } of interrupted) {
      this.#killRuntime(process.record);
      await this.#removeFailed(process);
    }
  }

  #plan(request: StartRequest): MonitoredProcess {
    if (!isValidId(request.id))
      throw new EngineError('invalidArgument', `invalid process id ${JSON.stringify(request.id)}`);
    if (this.#entries.has(request.id)) throw new EngineError('conflict', `process ${request.id} exists already`);
    const record: ProcessRecord = { ...request, v: 1, slot: this.#takeSlot(), state: 'starting' };
    this.#journal.resetSlot(record.slot, 0);
    const process = this.#createEntry(record).process;
    this.#journal.setLogEnd(record.slot, process.log?.size ?? 0);
    this.#records.save(record);
    return process;
  }

  #createEntry(record: ProcessRecord): Entry {
    const process = new MonitoredProcess(record, {
      journal: this.#journal,
      pump: this.#pump,
      save: (changed) => this.#records.save(changed),
      onStdinClosed: ({ id }) => this.#emit({ event: 'stdinClosed', id }),
      onStreamsEnded: () => this.#streamsEnded(entry),
      onError: (error) => console.error(`${record.id}: ${messageOf(error)}`),
    });
    const entry: Entry = { process, told: false, forgotten: false, streamsEnded: () => undefined };
    this.#entries.set(record.id, entry);
    this.#slots[record.slot] = entry;
    return entry;
  }

  #takeSlot(): number {
    for (let count = 0; count < SLOT_COUNT; count++) {
      const slot = this.#nextSlot;
      this.#nextSlot = (slot + 1) % SLOT_COUNT;
      if (this.#slots[slot] === undefined) return slot;
    }
    throw new EngineError('resourceExhausted', `more than ${SLOT_COUNT} processes at a time`);
  }

  #run(process: MonitoredProcess, started: Awaited<ReturnType<typeof startProcess>>): void {
    const { record } = process;
    const { pid, launch } = started;
    let early: ChildExit | undefined;
    let running = false;
    this.#reaper.watch(pid, (exit) => {
      if (running) this.#died(process, exit);
      else early = exit;
    });
    record.pid = pid;
    record.startTime = readProcessState(pid)?.startTime ?? 0;
    process.pidfd = openPidfdIfAlive(pid);
    record.state = 'running';
    this.#records.save(record);
    if (early) early = correctExecFailure(this.#directory, record, launch, early);
    this.#openStreams(process, { 0: launch.outputs[0], 1: launch.outputs[1], input: launch.input });
    running = true;
    if (early) this.#died(process, early);
  }

  #openStreams(
    process: MonitoredProcess,
    streams: { 0?: number | undefined; 1?: number | undefined; input?: number | undefined },
  ): void {
    if (streams[0] !== undefined) process.openOutput(0, streams[0]);
    if (streams[1] !== undefined) process.openOutput(1, streams[1]);
    if (streams.input !== undefined) process.openInput(streams.input);
  }

  /** Writes the end down, which must come first: the process is reaped after this. */
  #died(process: MonitoredProcess, exit: ChildExit, reason?: string): void {
    const { record } = process;
    record.exit = {
      exitCode: reason === undefined ? shellExitCode(exit) : 255,
      oomKilled: record.kind === 'container' && wasOutOfMemory(this.#layout, record),
      finishedAt: Date.now(),
      ...(reason === undefined ? {} : { reason }),
    };
    record.state = 'dead';
    this.#records.save(record);
    void this.#settleDeath(process);
  }

  async #settleDeath(process: MonitoredProcess): Promise<void> {
    const { record } = process;
    const entry = this.#slots[record.slot];
    if (!entry || !record.exit) return;
    const ended = new Promise<void>((resolve) => {
      entry.streamsEnded = resolve;
    });
    try {
      if (record.kind === 'container') await cleanUpContainer(this.#setup, this.#layout, record);
    } catch (error) {
      console.error(`${record.id}: ${messageOf(error)}`);
    }
    process.drain();
    if (!process.hasEndedStreams) await Promise.race([ended, patience()]);
    removeFiles(this.#directory, record.slot);
    process.finish();
    entry.told = true;
    this.#emit({ event: 'exit', id: record.id, exit: record.exit });
  }

  #streamsEnded(entry: Entry): void {
    entry.streamsEnded();
    if (entry.forgotten) this.#free(entry);
  }

  #free(entry: Entry): void {
    entry.process.close();
    const { slot } = entry.process.record;
    if (this.#slots[slot] === entry) this.#slots[slot] = undefined;
  }

  async #removeFailed(process: MonitoredProcess): Promise<void> {
    const { record } = process;
    try {
      if (record.kind === 'container') await cleanUpContainer(this.#setup, this.#layout, record);
    } finally {
      const entry = this.#entries.get(record.id);
      this.#entries.delete(record.id);
      removeFiles(this.#directory, record.slot);
      this.#records.remove(record.id);
      if (entry) this.#free(entry);
    }
  }

  #adoptProcess(record: ProcessRecord, kept: Descriptors): void {
    const { process } = this.#createEntry(record);
    if (record.state === 'starting') return;
    const { slot, stdio } = record;
    const paths = launchPaths(this.#directory, slot);
    const output = (stream: number, file: string, given: number | undefined): number | undefined => {
      if (this.#journal.hasEnded(slot, stream)) {
        if (given !== undefined) closeDescriptor(given);
        return undefined;
      }
      return given ?? (existsSync(file) ? openDescriptor(file, 'readNonBlocking') : undefined);
    };
    if (stdio.terminal) {
      this.#openStreams(process, {
        0: kept.terminal,
        input: kept.terminal === undefined ? undefined : duplicateDescriptor(kept.terminal),
      });
    } else {
      const input = record.stdinClosed === true ? undefined : kept.stdin;
      if (input === undefined && kept.stdin !== undefined) closeDescriptor(kept.stdin);
      this.#openStreams(process, {
        0: output(0, paths.stdout, kept.stdout),
        1: output(1, paths.stderr, kept.stderr),
        input,
      });
    }
  }

  /** Waits for the end of an adopted process, or completes one whose end was seen. */
  #follow(entry: Entry, pidfd: number | undefined): void {
    const { process } = entry;
    const { record } = process;
    if (record.state === 'starting') return;
    if (record.state === 'dead') {
      if (pidfd !== undefined) closeDescriptor(pidfd);
      void this.#settleDeath(process);
      return;
    }
    const pid = record.pid ?? 0;
    process.pidfd =
      pidfd ?? (readProcessState(pid)?.startTime === record.startTime ? openPidfdIfAlive(pid) : undefined);
    watchStranger(pid, process.pidfd, (exit, reason) => this.#died(process, exit, reason));
  }

  #killRuntime(record: ProcessRecord): void {
    const pids = [
      this.#journal.runtimePid(record.slot),
      record.kind === 'exec' ? readPidFile(this.#directory, record.slot) : 0,
    ];
    for (const pid of pids) {
      if (pid === undefined || pid <= 1 || (pid === pids[0] && !commandHolds(pid, record.id))) continue;
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (!isErrorCode(error, 'ESRCH')) throw error;
      }
    }
  }
}

function openPidfdIfAlive(pid: number): number | undefined {
  try {
    return openPidfd(pid);
  } catch (error) {
    if (isErrorCode(error, 'ESRCH')) return undefined;
    throw error;
  }
}

function commandHolds(pid: number, text: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
  } catch (error) {
    if (isErrorCode(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}

function patience(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, STREAMS_PATIENCE_MS));
}
