/**
 * Netlink sockets and message building (netlink(7)). Little endian; attributes are padded to 4 bytes. Calls block: use them on
 * the network worker only.
 */
import { closeDescriptor } from './descriptor.ts';
import { checked, libc, SystemCallError } from './libc.ts';

const socketCall = libc.func('int socket(int domain, int type, int protocol)');
const bindCall = libc.func('int bind(int fd, const void *address, uint32_t length)');
const sendCall = libc.func('intptr_t send(int fd, const void *bytes, size_t length, int flags)');
const receiveCall = libc.func('intptr_t recv(int fd, void *bytes, size_t length, int flags)');
const setOptionCall = libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)');

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const HEADER_BYTES = 16;
const TYPE_ERROR = 2;

/** Families of netlink. */
export const netlinkFamilies = { route: 0, netfilter: 12 } as const;

/** Flags of a message header. */
export const messageFlags = {
  request: 1,
  ack: 4,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;

/** A message to the kernel, without its header. */
export interface NetlinkMessage {
  readonly type: number;
  /** In addition to `request` and `ack`. */
  readonly flags: number;
  readonly body: Buffer;
  /** What it is about, for errors. */
  readonly subject: string;
  /** False for the marks around a batch, which are not answered. */
  readonly acknowledged?: boolean;
}

/** A netlink socket in the network namespace of the thread that opened it. */
export class NetlinkSocket implements Disposable {
  readonly #descriptor: number;
  readonly #buffer: Buffer = Buffer.alloc(64 << 10);
  #sequence = 1;

  constructor(family: number) {
    this.#descriptor = checked(socketCall(AF_NETLINK, SOCK_RAW_CLOEXEC, family), 'socket', 'netlink');
    const on = Buffer.from([1, 0, 0, 0]);
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK, 0);
    checked(bindCall(this.#descriptor, address, address.length), 'bind', 'netlink');
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK]) {
      checked(setOptionCall(this.#descriptor, SOL_NETLINK, option, on, 4), 'setsockopt', 'netlink');
    }
  }

  /**
   * Sends messages in one piece and waits for all their acknowledgements.
   *
   * @throws {SystemCallError} the first failure, with the kernel's own text where it gives one. Outside of a netfilter batch the
   * other messages have been carried out all the same.
   */
  request(...messages: readonly NetlinkMessage[]): void {
    const open = new Map<number, string>();
    const pieces = messages.map((message) => {
      const sequence = this.#sequence++;
      const acknowledged = message.acknowledged ?? true;
      if (acknowledged) open.set(sequence, message.subject);
      return withHeader(message, sequence, acknowledged);
    });
    const bytes = Buffer.concat(pieces);
    checked(Number(sendCall(this.#descriptor, bytes, bytes.length, 0)), 'send', 'netlink');
    let failure: SystemCallError | undefined;
    while (open.size > 0) {
      const length = checked(
        Number(receiveCall(this.#descriptor, this.#buffer, this.#buffer.length, 0)),
        'recv',
        'netlink',
      );
      for (const answer of parseAnswers(this.#buffer.subarray(0, length))) {
        const subject = open.get(answer.sequence);
        if (subject === undefined) continue;
        open.delete(answer.sequence);
        if (answer.errno !== 0) failure ??= new SystemCallError('netlink', answer.errno, `${subject}${answer.text}`);
        // A refused batch is answered for the message at fault only.
        if (answer.errno !== 0 && messages.some(({ acknowledged }) => acknowledged === false)) open.clear();
      }
    }
    if (failure) throw failure;
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#descriptor);
  }
}

function withHeader(message: NetlinkMessage, sequence: number, acknowledged: boolean): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(HEADER_BYTES + message.body.length, 0);
  header.writeUInt16LE(message.type, 4);
  header.writeUInt16LE(message.flags | messageFlags.request | (acknowledged ? messageFlags.ack : 0), 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, pad(message.body)]);
}

function* parseAnswers(bytes: Buffer): Iterable<{ sequence: number; errno: number; text: string }> {
  for (let offset = 0; offset + HEADER_BYTES <= bytes.length;) {
    const length = bytes.readUInt32LE(offset);
    if (length < HEADER_BYTES) return;
    const message = bytes.subarray(offset, offset + length);
    if (message.readUInt16LE(4) === TYPE_ERROR && message.length >= 20) {
      yield { sequence: message.readUInt32LE(8), errno: -message.readInt32LE(16), text: errorText(message) };
    }
    offset += (length + 3) & ~3;
  }
}

const ATTRIBUTES_FLAG = 0x200;

/** The kernel's explanation, behind the header of the request that it answers. */
function errorText(message: Buffer): string {
  if ((message.readUInt16LE(6) & ATTRIBUTES_FLAG) === 0) return '';
  for (let offset = 36; offset + 4 <= message.length;) {
    const length = message.readUInt16LE(offset);
    if (length < 4) return '';
    if (message.readUInt16LE(offset + 2) === 1)
      return ` (${message.toString('utf8', offset + 4, offset + length - 1)})`;
    offset += (length + 3) & ~3;
  }
  return '';
}

function pad(bytes: Buffer): Buffer {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - rest)]);
}

/** Returns an attribute: length, type, value. */
export function attribute(type: number, value: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16LE(4 + value.length, 0);
  header.writeUInt16LE(type, 2);
  return pad(Buffer.concat([header, value]));
}

/** Returns an attribute that holds attributes; rtnetlink's do without the flag that nfnetlink wants. */
export function nested(type: number, ...children: readonly Buffer[]): Buffer {
  return attribute(type, Buffer.concat(children));
}

/** Returns a NUL-terminated string. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`, 'utf8');
}

/** Returns 32 bits, little endian. */
export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** Returns 32 bits, big endian. */
export function bigWord(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** Returns an IPv4 address as its four bytes. */
export function addressBytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}
