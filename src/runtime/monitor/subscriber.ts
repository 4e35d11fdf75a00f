import { closeDescriptor } from '../../host/descriptor.ts';
import { readBytes } from '../../host/pipe.ts';
import { DescriptorWatch } from '../../host/poll.ts';
import { sendBytes } from '../../host/unix-socket.ts';
import { createFrame, frameKinds, FrameReader } from './frames.ts';
import type { FramePart } from './frames.ts';

/** What a client wants of a process's streams. */
export interface SubscriberRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** What a {@link Subscriber} tells its process. */
export interface SubscriberEvents {
  /** Returns `false` when no more input is wanted for now; {@link Subscriber.resumeInput} goes on. */
  input(subscriber: Subscriber, part: FramePart): boolean;
  /** Everything given to {@link Subscriber.deliver} has been taken by the client's socket. */
  drained(): void;
  closed(subscriber: Subscriber): void;
}

const READ_BYTES = 64 * 1024;
const readBuffer = Buffer.alloc(READ_BYTES);

/** One attached client: a stream socket with frames both ways. */
export class Subscriber {
  readonly request: SubscriberRequest;
  readonly #fd: number;
  readonly #events: SubscriberEvents;
  readonly #watch: DescriptorWatch;
  readonly #frames: FrameReader;
  #pending: Buffer[] = [];
  #wantsInput = true;
  #endWhenDrained = false;
  #closed = false;

  constructor(fd: number, request: SubscriberRequest, events: SubscriberEvents) {
    this.#fd = fd;
    this.request = request;
    this.#events = events;
    this.#frames = new FrameReader((part) => {
      if (!this.#events.input(this, part)) this.#wantsInput = false;
    });
    this.#watch = new DescriptorWatch(fd, { readable: true }, (ready) => {
      if (ready.writable) this.#flush();
      if (!this.#closed && (ready.readable || ready.disconnect)) this.#read();
    });
  }

  get isDrained(): boolean {
    return this.#pending.length === 0;
  }

  /** Sends a whole frame that lies in mapped memory; what the socket does not take is kept, and `false` returned. */
  deliver(address: bigint, bytes: Buffer): boolean {
    if (this.#closed) return true;
    if (this.#pending.length > 0) {
      this.#pending.push(Buffer.from(bytes));
      return false;
    }
    const sent = sendBytes(this.#fd, address, bytes.length);
    if (sent === 'end') {
      this.close();
      return true;
    }
    const count = sent === 'again' ? 0 : sent;
    if (count === bytes.length) return true;
    this.#pending.push(Buffer.from(bytes.subarray(count)));
    this.#listen();
    return false;
  }

  /** Sends a frame from ordinary memory. */
  send(frame: Buffer): void {
    if (this.#closed) return;
    this.#pending.push(frame);
    this.#flush();
  }

  /** Tells the client that all output was delivered, after it was, and closes. */
  end(): void {
    if (this.#closed || this.#endWhenDrained) return;
    this.#endWhenDrained = true;
    this.send(createFrame(frameKinds.end, 0));
  }

  resumeInput(): void {
    if (this.#wantsInput || this.#closed) return;
    this.#wantsInput = true;
    this.#listen();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    closeDescriptor(this.#fd);
    this.#pending = [];
    this.#events.closed(this);
  }

  #flush(): void {
    while (this.#pending.length > 0) {
      const first = this.#pending[0] as Buffer;
      const sent = sendBytes(this.#fd, first, first.length);
      if (sent === 'end') {
        this.close();
        return;
      }
      if (sent === 'again') {
        this.#listen();
        return;
      }
      if (sent < first.length) this.#pending[0] = first.subarray(sent);
      else this.#pending.shift();
    }
    if (this.#endWhenDrained) {
      this.close();
      return;
    }
    this.#listen();
    this.#events.drained();
  }

  #read(): void {
    if (!this.#wantsInput) {
      // Woken by a hang-up while input is held back.
      this.#watch.pause();
      return;
    }
    const count = readBytes(this.#fd, readBuffer, READ_BYTES);
    if (count === 'again') return;
    if (count === 'end') {
      this.close();
      return;
    }
    this.#frames.push(readBuffer.subarray(0, count));
    if (!this.#wantsInput) this.#listen();
  }

  #listen(): void {
    if (this.#closed) return;
    const writable = this.#pending.length > 0;
    if (writable || this.#wantsInput) this.#watch.resume({ readable: this.#wantsInput, writable });
    else this.#watch.pause();
  }
}
