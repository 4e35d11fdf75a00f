import type { Duplex, Readable, Writable } from 'node:stream';
import type { Attachment } from '../runtime/process-host.ts';
import type { Hijacked } from './route.ts';

/** Types of the two forms in which output goes to clients (Engine API, Stream format). */
export const streamTypes = {
  raw: 'application/vnd.docker.raw-stream',
  multiplexed: 'application/vnd.docker.multiplexed-stream',
} as const;

const headerBytes = 8;
const streamNumbers = { stdin: 0, stdout: 1, stderr: 2 } as const;

/** Returns a piece of output with its 8-byte header: stream, three zeros, length. */
export function frame(stream: 'stdout' | 'stderr', bytes: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(headerBytes + bytes.length);
  framed.writeUInt32BE(streamNumbers[stream] * 0x1000000, 0);
  framed.writeUInt32BE(bytes.length, 4);
  framed.set(bytes, headerBytes);
  return framed;
}

/** Writes and waits where the reader is slow; returns false when the connection is gone. */
export function send(output: Writable, bytes: Uint8Array): Promise<boolean> {
  if (output.destroyed || output.writableEnded) return Promise.resolve(false);
  if (output.write(bytes)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const done = (): void => {
      output.off('drain', done);
      output.off('close', done);
      resolve(!output.destroyed);
    };
    output.once('drain', done);
    output.once('close', done);
  });
}

/** How a client is connected to a process. */
export interface BridgeOptions {
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** The bytes that end the connection and leave the process running; none when empty. */
  readonly detachKeys: Uint8Array;
  /** Settles when the process's end is on record: clients ask for the exit code as soon as the connection ends. */
  readonly ended?: Promise<unknown>;
}

/**
 * Connects a taken-over connection with a process until its output ends, the client goes, or the detach keys are typed. The end
 * of the client's input is passed on while output still flows.
 *
 * @returns whether the client detached by its keys.
 */
export async function bridge(connection: Hijacked, attachment: Attachment, options: BridgeOptions): Promise<boolean> {
  await using _attachment = attachment;
  const detached = Promise.withResolvers<boolean>();
  const gone = Promise.withResolvers<boolean>();
  connection.output.once('close', () => gone.resolve(false));
  connection.output.on('error', () => gone.resolve(false));
  const input = options.stdin
    ? pumpInput(connection.input, attachment, options, detached.resolve)
    : drainInput(connection.input);
  input.catch(() => gone.resolve(false));
  const output = pumpOutput(connection.output, attachment, options.terminal).then(async (result) => {
    await options.ended;
    return result;
  });
  output.catch(() => gone.resolve(false));
  const result = await Promise.race([output, detached.promise, gone.promise]);
  endConnection(connection.output);
  return result;
}

async function pumpOutput(output: Duplex, attachment: Attachment, terminal: boolean): Promise<false> {
  for await (const { stream, bytes } of attachment.output) {
    if (!(await send(output, terminal ? bytes : frame(stream, bytes)))) break;
  }
  return false;
}

async function pumpInput(
  input: Readable,
  attachment: Attachment,
  options: BridgeOptions,
  detach: (keys: true) => void,
): Promise<void> {
  const keys = options.terminal && options.detachKeys.length > 0 ? new DetachKeys(options.detachKeys) : undefined;
  // The other direction goes on after the end of this one: the stream must not be destroyed.
  for await (const chunk of input.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const { pass, matched } = keys ? keys.feed(chunk) : { pass: chunk, matched: false };
    if (pass.length > 0) await attachment.write(pass);
    if (matched) return detach(true);
  }
  await attachment.endInput();
}

/** Without stdin the client's end is still to be noticed. */
async function drainInput(input: Readable): Promise<void> {
  input.resume();
}

function endConnection(output: Duplex): void {
  output.end();
  // A client that keeps its half open would hold the connection for ever.
  setTimeout(() => output.destroy(), 5000).unref();
}

/** Finds the detach sequence in typed input; a broken beginning is passed on. */
export class DetachKeys {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  feed(bytes: Uint8Array): { readonly pass: Uint8Array; readonly matched: boolean } {
    const pass: number[] = [];
    for (const byte of bytes) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), matched: true };
        continue;
      }
      pass.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) pass.push(byte);
      else if (this.#keys.length === 1) return { pass: Uint8Array.from(pass), matched: true };
    }
    return { pass: Uint8Array.from(pass), matched: false };
  }
}

const controlKeys: Readonly<Record<string, number>> = { '@': 0, '[': 27, '\\': 28, ']': 29, '^': 30, _: 31 };

/** Reads `ctrl-p,ctrl-q`, `a`, …; undefined when it is malformed. */
export function parseDetachKeys(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  for (const key of text.split(',')) {
    const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
    if (control !== undefined && /[a-z]/.test(control)) bytes.push(control.charCodeAt(0) - 96);
    else if (control !== undefined && controlKeys[control] !== undefined) bytes.push(controlKeys[control]);
    else if (key.length === 1) bytes.push(key.charCodeAt(0));
    else return undefined;
  }
  return Uint8Array.from(bytes);
}

/** ctrl-p, ctrl-q. */
export const defaultDetachKeys: Uint8Array = Uint8Array.of(16, 17);
