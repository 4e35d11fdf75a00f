import { EngineError, isErrorCode } from '../base/errors.ts';
import type { ErrorKind } from '../base/errors.ts';
import { closeDescriptor } from '../host/descriptor.ts';
import { connectTo, peerCredentials } from '../host/unix-socket.ts';
import { Channel } from './monitor/channel.ts';
import { nameDescriptors } from './monitor/protocol.ts';
import type { Descriptors, MonitorAnswer, MonitorEvent, MonitorRequest } from './monitor/protocol.ts';
import { RuntimeError } from './runtime-error.ts';

/** The monitor died before it answered. */
export class MonitorLostError extends EngineError {
  constructor() {
    super('unavailable', 'the monitor ended before it answered');
    this.name = 'MonitorLostError';
  }
}

/** An answer, or a part of one; the descriptors are the caller's. */
export interface MonitorReply {
  readonly result: unknown;
  readonly descriptors: Descriptors;
}

interface Pending {
  readonly parts: MonitorReply[];
  readonly resolve: (replies: readonly MonitorReply[]) => void;
  readonly reject: (error: Error) => void;
}

/** One connection to a monitor: requests in, answers and events out. */
export class MonitorConnection {
  readonly #channel: Channel;
  readonly #pending: Map<number, Pending> = new Map();
  readonly #onEvent: (event: MonitorEvent) => void;
  #sequence = 0;

  private constructor(fd: number, onEvent: (event: MonitorEvent) => void, onClose: () => void) {
    this.#onEvent = onEvent;
    this.#channel = new Channel(
      fd,
      ({ body, descriptors }) => this.#receive(body as MonitorAnswer | MonitorEvent, descriptors),
      () => {
        for (const { reject } of this.#pending.values()) reject(new MonitorLostError());
        this.#pending.clear();
        onClose();
      },
    );
  }

  /** Connects to a listening monitor; `undefined` when there is none. */
  static open(
    socketPath: string,
    onEvent: (event: MonitorEvent) => void,
    onClose: () => void,
  ): MonitorConnection | undefined {
    let fd: number;
    try {
      fd = connectTo(socketPath, 'seqpacket');
    } catch (error) {
      if (isErrorCode(error, 'ENOENT', 'ECONNREFUSED')) return undefined;
      throw error;
    }
    if (peerCredentials(fd).uid !== process.getuid?.()) {
      closeDescriptor(fd);
      throw new EngineError('permissionDenied', `${socketPath} belongs to another user`);
    }
    return new MonitorConnection(fd, onEvent, onClose);
  }

  /**
   * Asks and waits. The descriptors stay the caller's; they may be closed when this settles.
   *
   * @throws {RuntimeError} {EngineError} as the monitor says; {MonitorLostError} when it died.
   */
  async ask(request: MonitorRequest, descriptors: readonly number[] = []): Promise<MonitorReply> {
    const replies = await this.askAll(request, descriptors);
    return replies.at(-1) ?? { result: undefined, descriptors: {} };
  }

  /** As {@link ask}, for requests that are answered in parts; the last reply is the end. */
  askAll(request: MonitorRequest, descriptors: readonly number[] = []): Promise<readonly MonitorReply[]> {
    if (this.#channel.isClosed) return Promise.reject(new MonitorLostError());
    return new Promise((resolve, reject) => {
      const seq = ++this.#sequence;
      this.#pending.set(seq, { parts: [], resolve, reject });
      this.#channel.send({ seq, ...request }, descriptors);
    });
  }

  close(): void {
    this.#channel.close();
  }

  #receive(body: MonitorAnswer | MonitorEvent, descriptors: readonly number[]): void {
    if ('event' in body) {
      descriptors.forEach(closeDescriptor);
      this.#onEvent(body);
      return;
    }
    const pending = this.#pending.get(body.seq);
    if (!pending) {
      descriptors.forEach(closeDescriptor);
      return;
    }
    if (body.error) {
      descriptors.forEach(closeDescriptor);
      this.#pending.delete(body.seq);
      pending.reject(asError(body.error));
      return;
    }
    pending.parts.push({ result: body.result, descriptors: nameDescriptors(body.names, descriptors) });
    if (body.more === true) return;
    this.#pending.delete(body.seq);
    pending.resolve(pending.parts);
  }
}

function asError({ kind, message, runtime }: NonNullable<MonitorAnswer['error']>): Error {
  if (runtime) return new RuntimeError(runtime.exitCode, runtime.runtimeText);
  return new EngineError(kind as ErrorKind, message);
}
