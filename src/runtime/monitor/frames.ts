import { FRAME_BYTES } from './journal.ts';

/*
 * Frames on an attached client's stream socket, both ways:
 *
 *   u8 kind │ 3 zero │ u32 length │ f64 offset │ length bytes
 *
 * Monitor → engine: output (offset: position of the first byte in its stream), `ack` (offset: input bytes taken in all), `end`.
 * Engine → monitor: `input` (offset: position of the first byte of the input), `inputEnd`.
 */

/** What a frame is. 0 and 1 are output of stdout (or the terminal) and stderr. */
export const frameKinds = { stdout: 0, stderr: 1, ack: 2, end: 3, input: 4, inputEnd: 5 } as const;

/** A frame whose bytes may have arrived in part: `bytes` are some of them, `offset` says where they belong. */
export interface FramePart {
  readonly kind: number;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Fills a frame header of {@link FRAME_BYTES}. */
export function writeFrameHeader(header: Buffer, kind: number, length: number, offset: number): void {
  header.writeUInt32LE(kind, 0);
  header.writeUInt32LE(length, 4);
  header.writeDoubleLE(offset, 8);
}

/** Returns a frame without bytes, or with `bytes` behind it. */
export function createFrame(kind: number, offset: number, bytes?: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_BYTES + (bytes?.length ?? 0));
  writeFrameHeader(frame, kind, bytes?.length ?? 0, offset);
  if (bytes) frame.set(bytes, FRAME_BYTES);
  return frame;
}

/** Cuts a byte stream into frames, handing over bytes as they come, so that a stream cut off in a frame loses none of them. */
export class FrameReader {
  readonly #header: Buffer = Buffer.alloc(FRAME_BYTES);
  #headerLength = 0;
  #remaining = 0;
  #offset = 0;
  readonly #handler: (part: FramePart) => void;

  constructor(handler: (part: FramePart) => void) {
    this.#handler = handler;
  }

  /** Handles the next bytes of the stream. The handler's `bytes` are a view of `chunk`. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#remaining > 0) {
        const length = Math.min(this.#remaining, chunk.length - at);
        this.#part(chunk.subarray(at, at + length));
        at += length;
        continue;
      }
      const length = Math.min(FRAME_BYTES - this.#headerLength, chunk.length - at);
      chunk.copy(this.#header, this.#headerLength, at, at + length);
      this.#headerLength += length;
      at += length;
      if (this.#headerLength < FRAME_BYTES) return;
      this.#headerLength = 0;
      this.#remaining = this.#header.readUInt32LE(4);
      this.#offset = this.#header.readDoubleLE(8);
      if (this.#remaining === 0) this.#part(chunk.subarray(at, at));
    }
  }

  #part(bytes: Buffer): void {
    const part = { kind: this.#header.readUInt32LE(0), offset: this.#offset, bytes };
    this.#remaining -= bytes.length;
    this.#offset += bytes.length;
    this.#handler(part);
  }
}
