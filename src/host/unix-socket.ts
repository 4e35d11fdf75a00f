import { chmodSync, rmSync } from 'node:fs';
import koffi from 'koffi';
import { EngineError } from '../base/errors.ts';
import { closeDescriptor } from './descriptor.ts';
import { checked, lastErrno, libc, SystemCallError } from './libc.ts';
import { mapAnonymous } from './memory.ts';
import type { Transfer } from './pipe.ts';

const socketCall = libc.func('int socket(int domain, int type, int protocol)');
const socketpairCall = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *ends)');
const bindCall = libc.func('int bind(int fd, void *address, uint32_t length)');
const connectCall = libc.func('int connect(int fd, void *address, uint32_t length)');
const listenCall = libc.func('int listen(int fd, int backlog)');
const acceptCall = libc.func('int accept4(int fd, void *address, void *length, int flags)');
const sendmsgCall = libc.func('intptr_t sendmsg(int fd, void *message, int flags)');
const recvmsgCall = libc.func('intptr_t recvmsg(int fd, void *message, int flags)');
const sendCall = libc.func('intptr_t send(int fd, void *bytes, size_t length, int flags)');
const getsockoptCall = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)');

const AF_UNIX = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_CTRUNC = 0x8;
const { EAGAIN, ECONNRESET, EINTR, EPIPE } = koffi.os.errno as Readonly<Record<string, number>>;

/** Longest path of a unix socket, without its final zero. */
export const MAX_SOCKET_PATH = 107;
/** Most descriptors that fit one message. */
export const MAX_DESCRIPTORS = 250;
/** Longest message of {@link sendMessage}. */
export const MAX_MESSAGE_BYTES = 65536;
/** Size of struct msghdr on 64-bit Linux. */
export const MSGHDR_BYTES = 56;

const CONTROL_BYTES = 1040;
const MESSAGE_AT = 0;
const VECTOR_AT = 64;
const CONTROL_AT = 128;
const BYTES_AT = 4096;

const scratch = mapAnonymous(BYTES_AT + MAX_MESSAGE_BYTES);

/** `stream` is a byte pipe both ways, `seqpacket` keeps messages whole. */
export type SocketType = 'stream' | 'seqpacket';

const socketTypes: Readonly<Record<SocketType, number>> = { stream: 1, seqpacket: 5 };

/** Makes two connected sockets, non-blocking and close-on-exec. */
export function createSocketPair(type: SocketType): readonly [number, number] {
  const ends = [0, 0];
  checked(socketpairCall(AF_UNIX, socketTypes[type] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 'socketpair');
  return [ends[0] as number, ends[1] as number];
}

/** Listens at a path, replacing what was there. Only this user may connect. The caller closes it and removes the path. */
export function listenAt(path: string, type: SocketType): number {
  const address = encodeAddress(path);
  const fd = newSocket(type);
  try {
    rmSync(path, { force: true });
    checked(bindCall(fd, address, address.length), 'bind', path);
    chmodSync(path, 0o600);
    checked(listenCall(fd, 64), 'listen', path);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** Connects to a path. @throws {SystemCallError} ENOENT, ECONNREFUSED when nobody listens. */
export function connectTo(path: string, type: SocketType): number {
  const address = encodeAddress(path);
  const fd = newSocket(type);
  if ((connectCall(fd, address, address.length) as number) === 0) return fd;
  const errno = lastErrno();
  closeDescriptor(fd);
  throw new SystemCallError('connect', errno, path);
}

/** Takes a waiting connection; `undefined` when there is none. */
export function acceptConnection(fd: number): number | undefined {
  const connection: number = acceptCall(fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection >= 0) return connection;
  const errno = lastErrno();
  if (errno === EAGAIN || errno === EINTR) return undefined;
  throw new SystemCallError('accept4', errno);
}

/** Returns who connected (unix(7), SO_PEERCRED). */
export function peerCredentials(fd: number): { readonly pid: number; readonly uid: number; readonly gid: number } {
  const value = Buffer.alloc(12);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  checked(getsockoptCall(fd, SOL_SOCKET, SO_PEERCRED, value, length), 'getsockopt SO_PEERCRED');
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) };
}

/**
 * Sends one message with up to {@link MAX_DESCRIPTORS} descriptors, which stay open here. `'again'` when the socket is full,
 * `'end'` when the other end is gone.
 */
export function sendMessage(fd: number, bytes: Uint8Array, descriptors: readonly number[] = []): Transfer {
  if (bytes.length > MAX_MESSAGE_BYTES || descriptors.length > MAX_DESCRIPTORS) {
    throw new EngineError(
      'internal',
      `message of ${bytes.length} bytes and ${descriptors.length} descriptors is too large`,
    );
  }
  scratch.bytes.set(bytes, BYTES_AT);
  prepareHeader(bytes.length, descriptors.length === 0 ? 0 : (16 + 4 * descriptors.length + 7) & ~7);
  if (descriptors.length > 0) {
    scratch.bytes.writeBigUInt64LE(BigInt(16 + 4 * descriptors.length), CONTROL_AT);
    scratch.bytes.writeInt32LE(SOL_SOCKET, CONTROL_AT + 8);
    scratch.bytes.writeInt32LE(SCM_RIGHTS, CONTROL_AT + 12);
    descriptors.forEach((each, index) => scratch.bytes.writeInt32LE(each, CONTROL_AT + 16 + 4 * index));
  }
  const count: number = sendmsgCall(fd, scratch.address + BigInt(MESSAGE_AT), MSG_NOSIGNAL | MSG_DONTWAIT);
  return outcome(count, 'sendmsg');
}

/** A message as it arrived; the receiver owns the descriptors, which are close-on-exec. */
export interface ReceivedMessage {
  readonly bytes: Buffer;
  readonly descriptors: readonly number[];
}

/**
 * Receives one message; `'again'` when none waits, `'end'` when the other end is gone.
 *
 * @throws {EngineError} dataLoss when the kernel dropped descriptors.
 */
export function receiveMessage(fd: number): ReceivedMessage | 'again' | 'end' {
  prepareHeader(MAX_MESSAGE_BYTES, CONTROL_BYTES);
  const count: number = recvmsgCall(fd, scratch.address + BigInt(MESSAGE_AT), MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  const result = outcome(count, 'recvmsg');
  if (result === 'again' || result === 'end') return result;
  const descriptors: number[] = [];
  const controlLength = Number(scratch.bytes.readBigUInt64LE(MESSAGE_AT + 40));
  if (controlLength >= 16) {
    const end = CONTROL_AT + Number(scratch.bytes.readBigUInt64LE(CONTROL_AT));
    for (let at = CONTROL_AT + 16; at + 4 <= end; at += 4) descriptors.push(scratch.bytes.readInt32LE(at));
  }
  if ((scratch.bytes.readInt32LE(MESSAGE_AT + 48) & MSG_CTRUNC) !== 0) {
    descriptors.forEach(closeDescriptor);
    throw new EngineError('dataLoss', 'descriptors of a message were dropped: the limit of open files is too low');
  }
  return { bytes: Buffer.from(scratch.bytes.subarray(BYTES_AT, BYTES_AT + result)), descriptors };
}

/** Sends bytes on a stream socket without waiting or SIGPIPE; may send less than asked. */
export function sendBytes(fd: number, source: Buffer | bigint, length: number): Transfer {
  const count: number = sendCall(fd, source, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  return count === 0 ? 0 : outcome(count, 'send');
}

function prepareHeader(length: number, controlLength: number): void {
  const { bytes, address } = scratch;
  bytes.fill(0, MESSAGE_AT, MESSAGE_AT + MSGHDR_BYTES);
  bytes.writeBigUInt64LE(address + BigInt(VECTOR_AT), MESSAGE_AT + 16);
  bytes.writeBigUInt64LE(1n, MESSAGE_AT + 24);
  if (controlLength > 0) bytes.writeBigUInt64LE(address + BigInt(CONTROL_AT), MESSAGE_AT + 32);
  bytes.writeBigUInt64LE(BigInt(controlLength), MESSAGE_AT + 40);
  bytes.writeBigUInt64LE(address + BigInt(BYTES_AT), VECTOR_AT);
  bytes.writeBigUInt64LE(BigInt(length), VECTOR_AT + 8);
}

function outcome(count: number, call: string): Transfer {
  if (count > 0) return count;
  if (count === 0) return 'end';
  const errno = lastErrno();
  if (errno === EAGAIN || errno === EINTR) return 'again';
  if (errno === EPIPE || errno === ECONNRESET) return 'end';
  throw new SystemCallError(call, errno);
}

function newSocket(type: SocketType): number {
  return checked(socketCall(AF_UNIX, socketTypes[type] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), 'socket');
}

function encodeAddress(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length > MAX_SOCKET_PATH) {
    throw new EngineError('invalidArgument', `socket path ${path} is longer than ${MAX_SOCKET_PATH} bytes`);
  }
  const address = Buffer.alloc(2 + bytes.length + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  return address;
}
