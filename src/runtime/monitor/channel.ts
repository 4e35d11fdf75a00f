import { closeDescriptor } from '../../host/descriptor.ts';
import { DescriptorWatch } from '../../host/poll.ts';
import { receiveMessage, sendMessage } from '../../host/unix-socket.ts';

/** A message as JSON with descriptors that the receiver owns. */
export interface ChannelMessage {
  readonly body: unknown;
  readonly descriptors: readonly number[];
}

/** A SOCK_SEQPACKET connection that carries JSON messages with descriptors, in order, whatever the other end's pace. */
export class Channel {
  readonly #fd: number;
  readonly #watch: DescriptorWatch;
  readonly #onMessage: (message: ChannelMessage) => void;
  readonly #onClose: (reason?: Error) => void;
  #outgoing: {
    readonly bytes: Buffer;
    readonly descriptors: readonly number[];
    readonly sent: (() => void) | undefined;
  }[] = [];
  #closed = false;

  /** `fd` is this object's to close. `onClose` is called once, also after {@link close}; with a reason when a message was lost. */
  constructor(fd: number, onMessage: (message: ChannelMessage) => void, onClose: (reason?: Error) => void) {
    this.#fd = fd;
    this.#onMessage = onMessage;
    this.#onClose = onClose;
    this.#watch = new DescriptorWatch(fd, { readable: true }, (ready) => {
      if (ready.writable) this.#flush();
      if (!this.#closed && (ready.readable || ready.disconnect)) this.#receive();
    });
  }

  get fd(): number {
    return this.#fd;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Sends a message. The descriptors stay the caller's and must stay open until `sent` is called. */
  send(body: object, descriptors: readonly number[] = [], sent?: () => void): void {
    if (this.#closed) {
      sent?.();
      return;
    }
    this.#outgoing.push({ bytes: Buffer.from(JSON.stringify(body)), descriptors, sent });
    this.#flush();
  }

  close(reason?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    closeDescriptor(this.#fd);
    for (const { sent } of this.#outgoing) sent?.();
    this.#outgoing = [];
    this.#onClose(reason);
  }

  /** Lets the process end although this connection is open. */
  unref(): void {
    this.#watch.unref();
  }

  #flush(): void {
    while (this.#outgoing.length > 0) {
      const first = this.#outgoing[0];
      if (!first) break;
      const result = sendMessage(this.#fd, first.bytes, first.descriptors);
      if (result === 'again') {
        this.#watch.resume({ readable: true, writable: true });
        return;
      }
      if (result === 'end') {
        this.close();
        return;
      }
      this.#outgoing.shift();
      first.sent?.();
    }
    this.#watch.resume({ readable: true });
  }

  #receive(): void {
    let message: ReturnType<typeof receiveMessage>;
    try {
      message = receiveMessage(this.#fd);
    } catch (error) {
      // No room for descriptors: the two sides must come to the same knowledge anew.
      this.close(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (message === 'again') return;
    if (message === 'end') {
      this.close();
      return;
    }
    this.#onMessage({ body: JSON.parse(message.bytes.toString('utf8')) as unknown, descriptors: message.descriptors });
  }
}
