import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { deferred } from '../base/concurrency.ts';
import type { Deferred } from '../base/concurrency.ts';
import { EngineError, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { closeDescriptor } from '../host/descriptor.ts';
import { readProcessState, reapChild, signalPidfd } from '../host/pidfd.ts';
import { setTerminalSize } from '../host/terminal.ts';
import { createSocketPair } from '../host/unix-socket.ts';
import { MonitorConnection, MonitorLostError } from './monitor-connection.ts';
import { isValidId, PROTOCOL_VERSION } from './monitor/protocol.ts';
import type {
  DescriptorName,
  Descriptors,
  ExitRecord,
  HelloResult,
  MonitorEvent,
  Positions,
  ProcessView,
  StartRequest,
} from './monitor/protocol.ts';
import type { RuntimeSetup } from './oci-runtime.ts';
import type {
  Attachment,
  AttachRequest,
  ExecRequest,
  ProcessExit,
  ProcessHost,
  ProcessStatus,
  RunRequest,
  TerminalSize,
} from './process-host.ts';
import { spawnMonitor } from './spawn-monitor.ts';
import { StrangerReaper } from './stranger-reaper.ts';
import { StreamAttachment } from './stream-attachment.ts';

const CONNECT_ATTEMPTS = 5;
/** A monitor that keeps dying is started slowly after so many times within the window. */
const RESTARTS_AT_ONCE = 25;
const RESTART_WINDOW_MS = 10_000;
const RESTART_PAUSE_MS = 1000;

interface KnownProcess {
  view: ProcessView;
  /** Duplicates of what the monitor holds: with them its successor can go on. */
  descriptors: Descriptors;
}

type Started = { readonly status: ProcessStatus; readonly attachment?: Attachment };

/**
 * {@link ProcessHost} over the monitor process. When the monitor dies, its successor gets from here what only lives in
 * descriptors (staging pipe, terminals, stdin, pidfds, the unread ends of pipes) and finds the rest in the exec root.
 */
export class MonitoredProcessHost implements ProcessHost {
  readonly #setup: RuntimeSetup;
  readonly #log: Logger;
  readonly #entry: string | undefined;
  readonly #known: Map<string, KnownProcess> = new Map();
  readonly #attachments: Set<StreamAttachment> = new Set();
  readonly #listeners: Set<(exit: ProcessExit) => void> = new Set();
  readonly #strangers: StrangerReaper;
  #staging: Descriptors = {};
  #connection: MonitorConnection | undefined;
  #ready: Deferred<MonitorConnection> = deferred();
  #restarts: number[] = [];
  #disposed = false;
  #monitorPid = 0;

  constructor(setup: RuntimeSetup, log: Logger, entry: string | undefined) {
    this.#setup = setup;
    this.#log = log;
    this.#entry = entry;
    this.#strangers = new StrangerReaper((pid) =>
      this.#known.values().some(({ view }) => view.pid === pid && !view.exit),
    );
  }

  /** Connects for the first time. */
  async connect(): Promise<void> {
    await this.#establish();
  }

  async run(request: RunRequest, attachRequest?: AttachRequest): Promise<Started> {
    const { id, bundle, cgroupsPath, runtime, stdio } = request;
    return await this.#start(
      { id, kind: 'container', containerId: id, bundle, cgroupsPath, runtime, stdio },
      attachRequest,
    );
  }

  async exec(request: ExecRequest, attachRequest?: AttachRequest): Promise<Started> {
    const { id, containerId, runtime, stdio } = request;
    if (!isValidId(id)) throw new EngineError('invalidArgument', `invalid process id ${JSON.stringify(id)}`);
    const directory = path.join(this.#setup.execRoot, 'execs');
    const processFile = path.join(directory, `${id}.json`);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(processFile, JSON.stringify(request.process), { mode: 0o600 });
    try {
      return await this.#start({ id, kind: 'exec', containerId, processFile, runtime, stdio }, attachRequest);
    } finally {
      await rm(processFile, { force: true });
    }
  }

  async attach(id: string, request: AttachRequest): Promise<Attachment> {
    for (;;) {
      const connection = await this.#ready.promise;
      try {
        return await withSocket(async (theirs, ours) => {
          const { result } = await connection.ask({ op: 'attach', id, request }, [theirs]);
          const attachment = this.#createAttachment(id, request);
          // Before the first frame is read, which happens in a later turn.
          attachment.startAt(result as Positions);
          attachment.connect(ours());
          return attachment;
        });
      } catch (error) {
        if (!(error instanceof MonitorLostError)) throw error;
      }
    }
  }

  async resize(id: string, size: TerminalSize): Promise<void> {
    const { terminal } = this.#running(id).descriptors;
    if (terminal === undefined) throw new EngineError('invalidArgument', `process ${id} has no terminal`);
    setTerminalSize(terminal, size.rows, size.columns);
  }

  async signal(id: string, signal: number): Promise<void> {
    const { pidfd } = this.#running(id).descriptors;
    if (pidfd === undefined || !signalPidfd(pidfd, signal)) {
      throw new EngineError('notFound', `process ${id} has ended`);
    }
  }

  onExit(listener: (exit: ProcessExit) => void): () => void {
    this.#listeners.add(listener);
    for (const { view } of this.#known.values()) if (view.exit) listener(processExit(view.id, view.exit));
    return () => this.#listeners.delete(listener);
  }

  async forget(id: string): Promise<void> {
    for (;;) {
      const connection = await this.#ready.promise;
      try {
        await connection.ask({ op: 'forget', id });
        break;
      } catch (error) {
        if (!(error instanceof MonitorLostError)) throw error;
      }
    }
    const known = this.#known.get(id);
    this.#known.delete(id);
    if (known) closeAll(known.descriptors);
  }

  async list(): Promise<readonly ProcessStatus[]> {
    await this.#ready.promise;
    return [...this.#known.values()].map(({ view }) => processStatus(view));
  }

  /** Returns the pid of the monitor that serves now. */
  async monitorPid(): Promise<number> {
    await this.#ready.promise;
    return this.#monitorPid;
  }

  /** Ends the monitor and removes its files. @throws {EngineError} failedPrecondition while processes live */
  async stopMonitor(): Promise<void> {
    const connection = await this.#ready.promise;
    this.#disposed = true;
    await connection.ask({ op: 'stop' });
    this.#disconnect();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#disconnect();
    return Promise.resolve();
  }

  async #start(process: StartRequest, attachRequest: AttachRequest | undefined): Promise<Started> {
    for (;;) {
      const connection = await this.#ready.promise;
      const attachment = attachRequest && this.#createAttachment(process.id, attachRequest);
      const started = (view: ProcessView): Started => ({
        status: processStatus(view),
        ...(attachment ? { attachment } : {}),
      });
      try {
        return started(await this.#ask(connection, process, attachment));
      } catch (error) {
        if (error instanceof MonitorLostError) {
          await this.#ready.promise;
          // The process was started but the answer lost, or the start was undone and is repeated.
          const adopted = this.#known.get(process.id);
          if (adopted) return started(adopted.view);
        }
        attachment?.end();
        if (!(error instanceof MonitorLostError)) throw error;
      }
    }
  }

  async #ask(
    connection: MonitorConnection,
    process: StartRequest,
    attachment: StreamAttachment | undefined,
  ): Promise<ProcessView> {
    const ask = async (theirs?: number): Promise<ProcessView> => {
      const request = { op: 'start', process, ...(attachment ? { attach: attachment.request } : {}) } as const;
      const { result, descriptors } = await connection.ask(request, theirs === undefined ? [] : [theirs]);
      const view = result as ProcessView;
      this.#remember(view, descriptors);
      return view;
    };
    if (!attachment) return await ask();
    return await withSocket((theirs, ours) => {
      const asked = ask(theirs);
      attachment.connect(ours());
      return asked;
    });
  }

  #createAttachment(id: string, request: AttachRequest): StreamAttachment {
    const attachment = new StreamAttachment(id, request, (ended) => this.#attachments.delete(ended));
    this.#attachments.add(attachment);
    return attachment;
  }

  #running(id: string): KnownProcess {
    const known = this.#known.get(id);
    if (!known || known.view.exit) throw new EngineError('notFound', `process ${id} does not run`);
    return known;
  }

  #remember(view: ProcessView, descriptors: Descriptors): void {
    const known = this.#known.get(view.id);
    if (known) closeAll(known.descriptors);
    // The end may have been told before the answer to the start.
    const exit = view.exit ?? known?.view.exit;
    this.#known.set(view.id, { view: exit ? { ...view, exit } : view, descriptors });
  }

  #handleEvent(event: MonitorEvent): void {
    const known = this.#known.get(event.id);
    if (event.event === 'stdinClosed') {
      // A duplicate here would keep the process from seeing the end of its input.
      const stdin = known?.descriptors.stdin;
      if (known && stdin !== undefined) {
        delete known.descriptors.stdin;
        closeDescriptor(stdin);
      }
      return;
    }
    this.#exited(event.id, event.exit, known);
  }

  #exited(id: string, exit: ExitRecord, known: KnownProcess | undefined): void {
    if (known) {
      known.view = { ...known.view, exit };
      closeAll(known.descriptors);
      known.descriptors = {};
      reapOrphan(known.view);
    }
    for (const listener of this.#listeners) listener(processExit(id, exit));
  }

  /** Connects, starting a monitor where none answers, and brings it and this side to the same knowledge. */
  async #establish(): Promise<void> {
    const connection = await this.#open();
    const { result, descriptors } = await connection.ask({ op: 'hello', versions: [PROTOCOL_VERSION] });
    const { serving, pid } = result as HelloResult;
    this.#monitorPid = pid;
    this.#keepStaging(serving ? descriptors : (await this.#handOver(connection)).descriptors);
    const replies = await connection.askAll({ op: 'list' });
    const listed = new Set<string>();
    for (const reply of replies.slice(0, -1)) {
      const view = reply.result as ProcessView;
      listed.add(view.id);
      this.#remember(view, reply.descriptors);
    }
    this.#dropUnlisted(listed);
    this.#connection = connection;
    this.#ready.resolve(connection);
    const ended = this.#known.values().filter(({ view }) => view.exit);
    for (const known of ended.toArray()) if (known.view.exit) this.#exited(known.view.id, known.view.exit, known);
  }

  async #open(): Promise<MonitorConnection> {
    const socketPath = path.join(this.#setup.execRoot, 'monitor.sock');
    for (let attempt = 0; attempt < CONNECT_ATTEMPTS; attempt++) {
      const connection = MonitorConnection.open(
        socketPath,
        (event) => this.#handleEvent(event),
        () => this.#lost(connection),
      );
      if (connection) return connection;
      await spawnMonitor(this.#setup, this.#entry);
      if (attempt > 0) await delay(50 * attempt);
    }
    throw new EngineError(
      'unavailable',
      `no monitor can be started; see ${path.join(this.#setup.execRoot, 'monitor.log')}`,
    );
  }

  /** Gives a new monitor what the dead one's processes and clients need. */
  async #handOver(connection: MonitorConnection): Promise<{ readonly descriptors: Descriptors }> {
    const given: Promise<unknown>[] = [];
    for (const { view, descriptors } of this.#known.values()) {
      const names = Object.keys(descriptors) as DescriptorName[];
      if (names.length > 0) given.push(connection.ask({ op: 'adopt', id: view.id, names }, listed(descriptors, names)));
    }
    for (const attachment of this.#attachments) {
      const positions = attachment.settlePositions();
      given.push(
        withSocket(async (theirs, ours) => {
          const { id, request } = attachment;
          const asked = connection.ask({ op: 'adoptAttachment', id, request, positions }, [theirs]);
          attachment.connect(ours());
          return await asked;
        }),
      );
    }
    await Promise.all(given);
    const names = Object.keys(this.#staging) as DescriptorName[];
    return await connection.ask({ op: 'recover', names }, listed(this.#staging, names));
  }

  #keepStaging(descriptors: Descriptors): void {
    closeAll(this.#staging);
    this.#staging = descriptors;
  }

  #dropUnlisted(listed: ReadonlySet<string>): void {
    for (const [id, { descriptors }] of this.#known) {
      if (listed.has(id)) continue;
      closeAll(descriptors);
      this.#known.delete(id);
    }
  }

  #lost(connection: MonitorConnection | undefined): void {
    if (this.#disposed || connection === undefined || connection !== this.#connection) return;
    this.#connection = undefined;
    this.#ready = deferred();
    this.#strangers.start();
    void this.#restart();
  }

  async #restart(): Promise<void> {
    while (!this.#disposed) {
      const now = Date.now();
      this.#restarts = [...this.#restarts.filter((time) => now - time < RESTART_WINDOW_MS), now];
      if (this.#restarts.length > RESTARTS_AT_ONCE) {
        this.#log.error({}, 'the monitor keeps dying; containers wait until it is tried again');
        await delay(RESTART_PAUSE_MS);
      }
      this.#log.warn({}, 'the monitor has died; starting another');
      try {
        await this.#establish();
        return;
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'a new monitor could not take over');
      }
    }
  }

  #disconnect(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close();
    this.#strangers.stop();
    for (const attachment of this.#attachments) attachment.end();
    for (const { descriptors } of this.#known.values()) closeAll(descriptors);
    this.#known.clear();
    closeAll(this.#staging);
    this.#staging = {};
  }
}

/** Makes a socket pair for a client; the monitor's end is closed here afterwards, ours too unless `ours` was called. */
async function withSocket<T>(use: (theirs: number, ours: () => number) => Promise<T>): Promise<T> {
  const [ours, theirs] = createSocketPair('stream');
  let taken = false;
  try {
    return await use(theirs, () => {
      taken = true;
      return ours;
    });
  } finally {
    closeDescriptor(theirs);
    if (!taken) closeDescriptor(ours);
  }
}

function listed(descriptors: Descriptors, names: readonly DescriptorName[]): readonly number[] {
  return names.map((name) => descriptors[name]).filter((fd) => fd !== undefined);
}

function closeAll(descriptors: Descriptors): void {
  for (const fd of Object.values(descriptors)) closeDescriptor(fd);
}

/** After a monitor's death its children became the engine's, which must reap them once their end is known. */
function reapOrphan({ pid, startTime }: ProcessView): void {
  const state = readProcessState(pid);
  if (state?.state === 'Z' && state.startTime === startTime && state.parent === process.pid) reapChild(pid);
}

function processStatus({ id, kind, pid, startTime, exit }: ProcessView): ProcessStatus {
  return { id, kind, pid, startTime, ...(exit ? { exit: processExit(id, exit) } : {}) };
}

function processExit(id: string, { exitCode, oomKilled, finishedAt, reason }: ExitRecord): ProcessExit {
  return { id, exitCode, oomKilled, finishedAt: new Date(finishedAt), ...(reason === undefined ? {} : { reason }) };
}
