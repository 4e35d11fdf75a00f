import { closeDescriptor } from '../host/descriptor.ts';
import { readBytes } from '../host/pipe.ts';
import { DescriptorWatch } from '../host/poll.ts';
import { sendBytes } from '../host/unix-socket.ts';
import { createFrame, frameKinds, FrameReader } from './monitor/frames.ts';
import type { FramePart } from './monitor/frames.ts';
import type { Positions } from './monitor/protocol.ts';
import type { Attachment, AttachRequest } from './process-host.ts';

const READ_BYTES = 256 * 1024;
const MAX_UNREAD_BYTES = 1024 * 1024;
const MAX_UNTAKEN_BYTES = 128 * 1024;

type Output = { readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array };

/**
 * The engine's end of an attached client. It counts what it has got and keeps what the process has not taken, so that it can
 * come over to another monitor without losing or repeating a byte.
 */
export class StreamAttachment implements Attachment {
  readonly id: string;
  readonly request: AttachRequest;
  readonly #onEnd: (attachment: StreamAttachment) => void;
  #socket: Socket | undefined;
  #positions = { stdout: 0, stderr: 0 };
  #unread: Output[] = [];
  #unreadBytes = 0;
  #ended = false;
  #wakeReader: (() => void) | undefined;
  #untaken: { offset: number; bytes: Uint8Array }[] = [];
  #sent = 0;
  #taken = 0;
  #inputEnded = false;
  #wakeWriters: (() => void)[] = [];

  constructor(id: string, request: AttachRequest, onEnd: (attachment: StreamAttachment) => void) {
    this.id = id;
    this.request = request;
    this.#onEnd = onEnd;
  }

  readonly output: AsyncIterable<Output> = { [Symbol.asyncIterator]: () => this.#iterate() };

  get isOver(): boolean {
    return this.#ended;
  }

  /** What this end has seen; reads first what the dead monitor had sent. */
  settlePositions(): Positions {
    this.#socket?.readRest();
    this.#closeSocket();
    return { ...this.#positions, input: this.#taken };
  }

  /** Where the streams begin for a client that joins a running process. */
  startAt(positions: Positions): void {
    this.#positions = { stdout: positions.stdout, stderr: positions.stderr };
  }

  /** Goes on over a socket whose other end a monitor has; the socket becomes this object's. */
  connect(fd: number): void {
    this.#closeSocket();
    const socket: Socket = new Socket(fd, (part) => this.#receive(part));
    this.#socket = socket;
    for (const { offset, bytes } of this.#untaken) socket.send(createFrame(frameKinds.input, offset, bytes));
    if (this.#inputEnded) socket.send(createFrame(frameKinds.inputEnd, this.#sent));
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#ended || this.#inputEnded || bytes.length === 0) return;
    const entry = { offset: this.#sent, bytes: Buffer.from(bytes) };
    this.#sent += bytes.length;
    this.#untaken.push(entry);
    this.#socket?.send(createFrame(frameKinds.input, entry.offset, entry.bytes));
    while (this.#sent - this.#taken > MAX_UNTAKEN_BYTES && !this.#ended) {
      await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
    }
  }

  // Part of an interface whose other implementations may wait.
  endInput(): Promise<void> {
    if (!this.#inputEnded && !this.#ended) {
      this.#inputEnded = true;
      this.#socket?.send(createFrame(frameKinds.inputEnd, this.#sent));
    }
    return Promise.resolve();
  }

  /** Ends the output here: the process has ended, or is unknown to the monitor. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closeSocket();
    this.#untaken = [];
    this.#wakeReader?.();
    this.#wake();
    this.#onEnd(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#unread = [];
    this.end();
    return Promise.resolve();
  }

  async *#iterate(): AsyncGenerator<Output> {
    for (;;) {
      const next = this.#unread.shift();
      if (next) {
        this.#unreadBytes -= next.bytes.length;
        if (this.#unreadBytes < MAX_UNREAD_BYTES) this.#socket?.resumeReading();
        yield next;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
        this.#wakeReader = undefined;
      }
    }
  }

  #receive({ kind, offset, bytes }: FramePart): void {
    switch (kind) {
      case frameKinds.stdout:
      case frameKinds.stderr:
        this.#receiveOutput(kind === frameKinds.stdout ? 'stdout' : 'stderr', offset, bytes);
        break;
      case frameKinds.ack:
        this.#acknowledge(offset);
        break;
      case frameKinds.end:
        // Not from inside the socket's own reading loop.
        setImmediate(() => this.end());
        break;
    }
  }

  #receiveOutput(stream: 'stdout' | 'stderr', offset: number, bytes: Buffer): void {
    const position = this.#positions[stream];
    const fresh = bytes.subarray(Math.max(0, position - offset));
    if (fresh.length === 0 || this.#ended) return;
    this.#positions[stream] = offset + bytes.length;
    this.#unread.push({ stream, bytes: Buffer.from(fresh) });
    this.#unreadBytes += fresh.length;
    if (this.#unreadBytes >= MAX_UNREAD_BYTES) this.#socket?.pauseReading();
    this.#wakeReader?.();
  }

  #acknowledge(taken: number): void {
    this.#taken = Math.max(this.#taken, taken);
    while (this.#untaken[0] && this.#untaken[0].offset + this.#untaken[0].bytes.length <= this.#taken)
      this.#untaken.shift();
    const first = this.#untaken[0];
    if (first && first.offset < this.#taken) {
      first.bytes = first.bytes.subarray(this.#taken - first.offset);
      first.offset = this.#taken;
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#wakeWriters;
    this.#wakeWriters = [];
    for (const wake of waiting) wake();
  }

  #closeSocket(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

const readBuffer = Buffer.allocUnsafe(READ_BYTES);

/** A non-blocking stream socket with a queue. */
class Socket {
  readonly #fd: number;
  readonly #watch: DescriptorWatch;
  readonly #frames: FrameReader;
  #queue: Buffer[] = [];
  #reading = true;
  #open = true;
  #dead = false;

  constructor(fd: number, onPart: (part: FramePart) => void) {
    this.#fd = fd;
    this.#frames = new FrameReader(onPart);
    this.#watch = new DescriptorWatch(fd, { readable: true }, (ready) => {
      if (ready.writable) this.#flush();
      if (this.#open && ready.readable && this.#reading) this.#read();
      // The monitor has hung up: the rest is read when its successor takes over, or never asked for.
      else if (this.#open && ready.disconnect && !ready.readable) this.#watch.pause();
    });
  }

  send(frame: Buffer): void {
    if (!this.#open || this.#dead) return;
    this.#queue.push(frame);
    this.#flush();
  }

  pauseReading(): void {
    this.#reading = false;
    this.#listen();
  }

  resumeReading(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#listen();
  }

  /** Reads what a dead peer left in the socket. */
  readRest(): void {
    while (this.#open && !this.#dead && this.#read()) continue;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#watch.close();
    closeDescriptor(this.#fd);
  }

  #read(): boolean {
    const count = readBytes(this.#fd, readBuffer, READ_BYTES);
    if (count === 'end') {
      this.#dead = true;
      this.#watch.pause();
    }
    if (typeof count !== 'number') return false;
    this.#frames.push(readBuffer.subarray(0, count));
    return true;
  }

  #flush(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue[0] as Buffer;
      const sent = sendBytes(this.#fd, first, first.length);
      if (sent === 'end') {
        this.#queue = [];
        return;
      }
      if (sent === 'again') break;
      if (sent < first.length) this.#queue[0] = first.subarray(sent);
      else this.#queue.shift();
    }
    this.#listen();
  }

  #listen(): void {
    if (!this.#open || this.#dead) return;
    const writable = this.#queue.length > 0;
    if (this.#reading || writable) this.#watch.resume({ readable: this.#reading, writable });
    else this.#watch.pause();
  }
}
