import { rmSync } from 'node:fs';
import path from 'node:path';
import { EngineError, kindOf, messageOf } from '../../base/errors.ts';
import { closeDescriptor } from '../../host/descriptor.ts';
import { createPipe } from '../../host/pipe.ts';
import type { Pipe } from '../../host/pipe.ts';
import type { RuntimeSetup } from '../oci-runtime.ts';
import { Channel } from './channel.ts';
import type { ChannelMessage } from './channel.ts';
import { Journal } from './journal.ts';
import { ProcessTable } from './process-table.ts';
import { nameDescriptors, PROTOCOL_VERSION } from './protocol.ts';
import type {
  DescriptorName,
  Descriptors,
  HelloResult,
  MonitorAnswer,
  MonitorEvent,
  MonitorRequest,
} from './protocol.ts';
import { StartError } from './start-error.ts';

/** An answer before it is sent. */
interface Answer {
  readonly result?: unknown;
  readonly descriptors?: Descriptors;
}

/**
 * The monitor's side of the protocol. Until an engine has said `recover` it only listens; then it takes over what a dead monitor
 * left and serves.
 */
export class Monitor {
  readonly #setup: RuntimeSetup;
  readonly #directory: string;
  readonly #journal: Journal;
  readonly #channels: Set<Channel> = new Set();
  readonly #adopted: Map<string, Descriptors> = new Map();
  readonly #attachments: { readonly fd: number; readonly request: MonitorRequest & { op: 'adoptAttachment' } }[] = [];
  #staging: Pipe | undefined;
  #table: ProcessTable | undefined;

  constructor(setup: RuntimeSetup) {
    this.#setup = setup;
    this.#directory = path.join(setup.execRoot, 'monitor');
    this.#journal = Journal.open(path.join(this.#directory, 'journal'));
  }

  /** Serves a connection of an engine. */
  connect(fd: number): void {
    const channel: Channel = new Channel(
      fd,
      (message) => this.#receive(channel, message),
      (reason) => {
        this.#channels.delete(channel);
        if (reason) console.error(`a connection was closed: ${reason.message}`);
      },
    );
    this.#channels.add(channel);
  }

  #receive(channel: Channel, message: ChannelMessage): void {
    const { seq, ...request } = message.body as MonitorRequest & { readonly seq: number };
    const answer = (parts: MonitorAnswer, descriptors: Descriptors = {}): void => {
      const names = Object.keys(descriptors) as DescriptorName[];
      const open = names.map((name) => descriptors[name]).filter((each) => each !== undefined);
      channel.send({ ...parts, ...(names.length > 0 ? { names } : {}) }, open);
    };
    this.#handle(request as MonitorRequest, message.descriptors, (part, descriptors) =>
      answer({ seq, more: true, result: part }, descriptors),
    ).then(
      ({ result, descriptors }) => answer({ seq, result }, descriptors),
      (error: unknown) => {
        const runtime = error instanceof StartError ? { runtime: error.failure } : {};
        answer({ seq, error: { kind: kindOf(error), message: messageOf(error), ...runtime } });
      },
    );
  }

  async #handle(
    request: MonitorRequest,
    descriptors: readonly number[],
    part: (result: unknown, descriptors: Descriptors) => void,
  ): Promise<Answer> {
    switch (request.op) {
      case 'hello':
        return this.#hello(request.versions);
      case 'adopt':
        this.#adopted.set(request.id, nameDescriptors(request.names, descriptors));
        return {};
      case 'adoptAttachment':
        this.#attachments.push({ fd: descriptors[0] as number, request });
        return {};
      case 'recover':
        return await this.#recover(nameDescriptors(request.names, descriptors));
      case 'list':
        for (const view of this.#serving().list()) part(view.view, view.descriptors);
        return {};
      case 'start': {
        const started = await this.#serving().start(request.process, request.attach, descriptors[0]);
        return { result: started.view(), descriptors: started.descriptors() };
      }
      case 'attach':
        return { result: this.#serving().attach(request.id, request.request, descriptors[0] as number) };
      case 'forget':
        this.#serving().forget(request.id);
        return {};
      case 'stop':
        return this.#stop();
      default:
        descriptors.forEach(closeDescriptor);
        throw new EngineError(
          'notImplemented',
          `the monitor knows no ${JSON.stringify((request as { op: unknown }).op)}`,
        );
    }
  }

  #hello(versions: readonly number[]): Answer {
    if (!versions.includes(PROTOCOL_VERSION)) {
      throw new EngineError(
        'failedPrecondition',
        `the monitor speaks version ${PROTOCOL_VERSION} of its protocol only`,
      );
    }
    const result: HelloResult = { version: PROTOCOL_VERSION, pid: process.pid, serving: this.#table !== undefined };
    return { result, descriptors: this.#stagingDescriptors() };
  }

  async #recover(staging: Descriptors): Promise<Answer> {
    if (!this.#table) {
      const { stagingRead: read, stagingWrite: write } = staging;
      const isNew = read === undefined || write === undefined;
      this.#staging = isNew ? createPipe() : { read, write };
      const table = new ProcessTable(this.#setup, this.#directory, this.#journal, this.#staging, (event) =>
        this.#broadcast(event),
      );
      this.#table = table;
      table.adopt(this.#adopted, this.#attachments, isNew);
      this.#adopted.clear();
      this.#attachments.length = 0;
      await table.settleInterrupted();
    }
    return { descriptors: this.#stagingDescriptors() };
  }

  #stagingDescriptors(): Descriptors {
    return this.#staging ? { stagingRead: this.#staging.read, stagingWrite: this.#staging.write } : {};
  }

  #serving(): ProcessTable {
    if (!this.#table) throw new EngineError('failedPrecondition', 'the monitor waits for "recover"');
    return this.#table;
  }

  #stop(): Answer {
    if (this.#table?.isEmpty === false)
      throw new EngineError('failedPrecondition', 'the monitor still holds processes');
    setImmediate(() => {
      rmSync(this.#directory, { recursive: true, force: true });
      rmSync(path.join(this.#setup.execRoot, 'monitor.sock'), { force: true });
      process.exit(0);
    });
    return {};
  }

  #broadcast(event: MonitorEvent): void {
    for (const channel of this.#channels) channel.send(event);
  }
}
