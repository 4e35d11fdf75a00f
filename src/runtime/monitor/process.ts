import { closeDescriptor } from '../../host/descriptor.ts';
import { bytesWaiting } from '../../host/pipe.ts';
import type { DescriptorWatch } from '../../host/poll.ts';
import { DescriptorWatch as Watch } from '../../host/poll.ts';
import type { AttachRequest } from '../process-host.ts';
import { createFrame, frameKinds } from './frames.ts';
import type { FramePart } from './frames.ts';
import { InputPipe } from './input.ts';
import type { Journal } from './journal.ts';
import { LogFile } from './log-file.ts';
import type { Descriptors, Positions, ProcessRecord, ProcessView } from './protocol.ts';
import type { Pump, PumpTarget } from './pump.ts';
import { Subscriber } from './subscriber.ts';

/** What a {@link MonitoredProcess} works with. */
export interface ProcessContext {
  readonly journal: Journal;
  readonly pump: Pump;
  /** Keeps the record for a successor. */
  readonly save: (record: ProcessRecord) => void;
  readonly onStdinClosed: (record: ProcessRecord) => void;
  /** Called when all output streams have ended. */
  readonly onStreamsEnded: () => void;
  readonly onError: (error: unknown) => void;
}

interface OutputStream {
  readonly fd: number;
  readonly watch: DescriptorWatch;
}

/** The stdio of one process: its output streams, its input, the clients attached to it. */
export class MonitoredProcess implements PumpTarget {
  readonly record: ProcessRecord;
  readonly log: LogFile | undefined;
  pidfd: number | undefined;
  readonly #context: ProcessContext;
  readonly #streams: [OutputStream | undefined, OutputStream | undefined] = [undefined, undefined];
  readonly #subscribers: Set<Subscriber> = new Set();
  readonly #accepted: Map<Subscriber, { taken: number; queued: number }> = new Map();
  #input: InputPipe | undefined;
  #over = false;
  #toResend: { readonly subscriber: Subscriber; readonly frame: Buffer }[] = [];
  #isResending = false;

  constructor(record: ProcessRecord, context: ProcessContext) {
    this.record = record;
    this.#context = context;
    const { log } = record.stdio;
    this.log = log && new LogFile(log, context.onError);
  }

  /** Begins to move output; the descriptors become this object's. */
  openOutput(stream: 0 | 1, fd: number): void {
    const watch = new Watch(fd, { readable: true }, () => this.#move(stream));
    this.#streams[stream] = { fd, watch };
  }

  openInput(fd: number): void {
    this.#input = new InputPipe(fd, () => {
      for (const subscriber of this.#subscribers) subscriber.resumeInput();
    });
  }

  get hasEndedStreams(): boolean {
    return this.#streams.every((stream) => stream === undefined);
  }

  view(): ProcessView {
    const { id, kind, pid = 0, startTime = 0, exit, stdio } = this.record;
    return { id, kind, pid, startTime, terminal: stdio.terminal, ...(exit ? { exit } : {}) };
  }

  /** What the engine keeps duplicates of. */
  descriptors(): Descriptors {
    const [first, second] = this.#streams;
    const input = this.#input && !this.#input.isClosed ? this.#input.fd : undefined;
    return {
      ...(this.pidfd === undefined ? {} : { pidfd: this.pidfd }),
      ...(input === undefined || this.record.stdio.terminal ? {} : { stdin: input }),
      ...(first ? (this.record.stdio.terminal ? { terminal: first.fd } : { stdout: first.fd }) : {}),
      ...(second ? { stderr: second.fd } : {}),
    };
  }

  /** How far the output streams are. */
  positions(): Positions {
    const { journal } = this.#context;
    const { slot } = this.record;
    return { stdout: journal.position(slot, 0), stderr: journal.position(slot, 1), input: 0 };
  }

  /**
   * Attaches a client's socket. `positions` says what it has seen when it comes over from a dead monitor; it gets what that one
   * could not send from {@link resendUnsent}.
   */
  attach(fd: number, request: AttachRequest, positions?: Positions): void {
    const subscriber = new Subscriber(fd, request, {
      input: (from, part) => this.#acceptInput(from, part),
      drained: () => this.#resumeOutput(),
      closed: (gone) => {
        this.#subscribers.delete(gone);
        this.#accepted.delete(gone);
        this.#resumeOutput();
      },
    });
    this.#subscribers.add(subscriber);
    this.#accepted.set(subscriber, { taken: positions?.input ?? 0, queued: positions?.input ?? 0 });
    if (positions) this.#collectUnsent(subscriber, positions);
    else this.#endIfQuiet();
  }

  deliver(stream: number, address: bigint, frame: Buffer): boolean {
    let taken = true;
    for (const subscriber of this.#subscribers) {
      if (!wants(subscriber.request, stream)) continue;
      if (!subscriber.deliver(address, frame)) taken = false;
    }
    if (!taken) this.#streams[stream as 0 | 1]?.watch.pause();
    return taken;
  }

  /** Moves what is left after the process has died. */
  drain(): void {
    for (const stream of [0, 1] as const) {
      // A container's remaining processes may go on writing: not more than a pipe's worth at once.
      for (let count = 0; count < 16 && this.#streams[stream] && this.#isDrained(); count++) {
        if (!this.#move(stream)) break;
      }
    }
  }

  /**
   * The process's end has been told: clients get what it had written, however slowly they read, and then the end. What its
   * children write after that still goes to the log.
   */
  finish(): void {
    this.#over = true;
    this.#input?.close();
    this.#endIfQuiet();
  }

  /** Frees everything. */
  close(): void {
    for (const stream of [0, 1] as const) this.#closeStream(stream);
    this.#input?.close();
    for (const subscriber of this.#subscribers) subscriber.end();
    this.log?.close();
    if (this.pidfd !== undefined) closeDescriptor(this.pidfd);
    this.pidfd = undefined;
  }

  /** Moves one batch; whether there was one. */
  #move(stream: 0 | 1): boolean {
    const open = this.#streams[stream];
    if (!open) return false;
    const result = this.#context.pump.move(this.record.slot, stream, open.fd);
    if (result === 'end') {
      this.#closeStream(stream);
      if (this.hasEndedStreams) this.#context.onStreamsEnded();
    }
    this.#endIfQuiet();
    return typeof result === 'number';
  }

  #closeStream(stream: 0 | 1): void {
    const open = this.#streams[stream];
    if (!open) return;
    this.#streams[stream] = undefined;
    open.watch.close();
    closeDescriptor(open.fd);
  }

  #isDrained(): boolean {
    for (const subscriber of this.#subscribers) if (!subscriber.isDrained) return false;
    return true;
  }

  #resumeOutput(): void {
    if (this.#isResending || !this.#isDrained()) return;
    for (const stream of [0, 1] as const) {
      if (!this.#streams[stream]) continue;
      this.#context.journal.clearUnsent(this.record.slot, stream);
      this.#streams[stream]?.watch.resume({ readable: true });
    }
    this.#endIfQuiet();
  }

  #endIfQuiet(): void {
    if (!this.#over || !this.#isDrained()) return;
    if (this.#streams.some((stream) => stream && bytesWaiting(stream.fd) > 0)) return;
    for (const subscriber of this.#subscribers) subscriber.end();
  }

  #collectUnsent(subscriber: Subscriber, positions: Positions): void {
    for (const stream of [0, 1] as const) {
      const { offset, bytes } = this.#context.journal.unsent(this.record.slot, stream);
      const seen = stream === 0 ? positions.stdout : positions.stderr;
      if (bytes.length === 0 || offset + bytes.length <= seen || !wants(subscriber.request, stream)) continue;
      this.#toResend.push({ subscriber, frame: createFrame(stream, offset, bytes) });
    }
  }

  /**
   * After the last client that came over from a dead monitor: sends what that one could not. The journal keeps it until every
   * client has all of it, and no output moves before that: a kill in between repeats, and loses nothing.
   */
  resendUnsent(): void {
    const frames = this.#toResend;
    this.#toResend = [];
    this.#isResending = true;
    for (const { subscriber, frame } of frames) subscriber.send(frame);
    this.#isResending = false;
    if (this.#isDrained()) this.#resumeOutput();
    else for (const stream of this.#streams) stream?.watch.pause();
    this.#endIfQuiet();
  }

  /** Takes input in order: after a change of monitors a client repeats what it got no receipt for. */
  #acceptInput(from: Subscriber, part: FramePart): boolean {
    const progress = this.#accepted.get(from);
    if (!progress || !from.request.stdin) return true;
    if (part.kind === frameKinds.inputEnd) this.#endInput();
    if (part.kind !== frameKinds.input) return true;
    const bytes = part.bytes.subarray(Math.max(0, progress.queued - part.offset));
    if (bytes.length === 0) return true;
    progress.queued += bytes.length;
    const taken = (count: number): void => {
      progress.taken += count;
      from.send(createFrame(frameKinds.ack, progress.taken));
    };
    if (!this.#input) {
      taken(bytes.length);
      return true;
    }
    this.#input.write(bytes, taken);
    return !this.#input.isFull;
  }

  #endInput(): void {
    if (!this.record.stdio.stdinOnce || this.record.stdio.terminal) return;
    this.#input?.end(() => {
      this.record.stdinClosed = true;
      this.#context.save(this.record);
      this.#context.onStdinClosed(this.record);
    });
  }
}

function wants(request: AttachRequest, stream: number): boolean {
  return stream === 0 ? request.stdout : request.stderr;
}
