import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { EngineError } from '../../base/errors.ts';
import { tryLock } from '../../host/descriptor.ts';
import { mapFile } from '../../host/memory.ts';
import type { MappedMemory } from '../../host/memory.ts';
import { encodedCapacity, MAX_ENTRY_BYTES } from '../../logs/json-file-format.ts';

/*
 * One sparse file in the exec root, mapped shared: what a monitor was doing when it died.
 *
 *   ┌ 0 ─────┬ 4 KiB ──────────┬───────────┬──────────┬────────────────────┬────────────────────┐
 *   │ header │ slots, 128 each │ work      │ encoded  │ tails, 2 a slot    │ unsent, 2 a slot   │
 *   └────────┴─────────────────┴───────────┴──────────┴────────────────────┴────────────────────┘
 *
 * A slot belongs to one process; stream 0 is stdout or the terminal, 1 is stderr. `work` holds the unfinished line (tail) and
 * the new bytes behind it, `encoded` their log entries. `unsent` keeps the batch that a slow client has not taken yet.
 */

/** How many processes a monitor can hold. */
export const SLOT_COUNT = 2048;
/** Most bytes in work at a time. */
export const BATCH_BYTES = 65536;
/** Room before the new bytes for the frame header that goes to clients with them. */
export const FRAME_BYTES = 16;

/** The steps of a batch; see pump.ts. */
export const phases = { idle: 0, splicing: 1, reading: 2, encoding: 3, writing: 4, written: 5, rotating: 6 } as const;
export type Phase = (typeof phases)[keyof typeof phases];

const MAGIC = 0x4d574c53;
const VERSION = 1;
const HEADER_BYTES = 4096;
const SLOT_BYTES = 128;
const WORK_AT = HEADER_BYTES + SLOT_COUNT * SLOT_BYTES;
const WORK_BYTES = 96 * 1024;
const ENCODED_AT = WORK_AT + WORK_BYTES;
const ENCODED_BYTES = Math.ceil(encodedCapacity(BATCH_BYTES + MAX_ENTRY_BYTES) / 4096) * 4096;
const TAILS_AT = ENCODED_AT + ENCODED_BYTES;
const UNSENT_AT = TAILS_AT + SLOT_COUNT * 2 * MAX_ENTRY_BYTES;
const JOURNAL_BYTES = UNSENT_AT + SLOT_COUNT * 2 * BATCH_BYTES;

// Header fields.
const PHASE = 8;
const BATCH_SLOT = 12;
const BATCH_STREAM = 16;
const BATCH_LENGTH = 20;
const BATCH_FINAL = 24;
const ENCODED_LENGTH = 28;
const LOG_START = 32;
const TAIL_FROM = 40;
const TAIL_LENGTH = 44;
const POSITION = 48;
const TAIL_TAKEN = 56;

// Slot fields; those of stream 1 are 32 bytes behind those of stream 0.
const SLOT_LOG_END = 0;
const SLOT_RUNTIME_PID = 8;
const SLOT_STREAMS = 16;
const STREAM_BYTES = 32;
const STREAM_POSITION = 0;
const STREAM_TAIL = 8;
const STREAM_ENDED = 12;
const STREAM_UNSENT_LENGTH = 16;
const STREAM_UNSENT_OFFSET = 24;

/** The batch in work. */
export interface Batch {
  slot: number;
  stream: number;
  /** New bytes. */
  length: number;
  /** Whether the stream ends with this batch, so that its tail is written too. */
  final: boolean;
  encodedLength: number;
  logStart: number;
  tailFrom: number;
  tailLength: number;
  /** Of the first new byte in the stream. */
  position: number;
  /** Length of the unfinished line in front of the new bytes. */
  tailTaken: number;
}

/** The mapped journal. Owned by one process at a time, by lock. */
export class Journal {
  readonly #memory: MappedMemory;
  readonly #words: Int32Array;

  private constructor(memory: MappedMemory) {
    this.#memory = memory;
    this.#words = new Int32Array(memory.bytes.buffer, memory.bytes.byteOffset, HEADER_BYTES / 4);
  }

  /** Opens or makes the journal. @throws {EngineError} conflict when another monitor lives. */
  static open(file: string): Journal {
    const fd = openSync(file, 'a+', 0o600);
    closeSync(fd);
    const writable = openSync(file, 'r+');
    if (!tryLock(writable)) {
      closeSync(writable);
      throw new EngineError('conflict', `${file} belongs to another running monitor`);
    }
    // The descriptor stays open for life: the lock goes with it.
    const fresh = fstatSync(writable).size !== JOURNAL_BYTES;
    if (fresh) {
      ftruncateSync(writable, 0);
      ftruncateSync(writable, JOURNAL_BYTES);
    }
    const journal = new Journal(mapFile(writable, JOURNAL_BYTES));
    const { bytes } = journal.#memory;
    if (bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== VERSION) {
      bytes.fill(0, 0, WORK_AT);
      bytes.writeUInt32LE(MAGIC, 0);
      bytes.writeUInt32LE(VERSION, 4);
    }
    return journal;
  }

  get phase(): Phase {
    return Atomics.load(this.#words, PHASE / 4) as Phase;
  }

  /** Stored last, so that everything written before it is there when a successor reads it. */
  set phase(phase: Phase) {
    Atomics.store(this.#words, PHASE / 4, phase);
  }

  readBatch(): Batch {
    const { bytes } = this.#memory;
    return {
      slot: bytes.readUInt32LE(BATCH_SLOT),
      stream: bytes.readUInt32LE(BATCH_STREAM),
      length: bytes.readUInt32LE(BATCH_LENGTH),
      final: bytes.readUInt32LE(BATCH_FINAL) === 1,
      encodedLength: bytes.readUInt32LE(ENCODED_LENGTH),
      logStart: bytes.readDoubleLE(LOG_START),
      tailFrom: bytes.readUInt32LE(TAIL_FROM),
      tailLength: bytes.readUInt32LE(TAIL_LENGTH),
      position: bytes.readDoubleLE(POSITION),
      tailTaken: bytes.readUInt32LE(TAIL_TAKEN),
    };
  }

  writeBatch(batch: Batch): void {
    const { bytes } = this.#memory;
    bytes.writeUInt32LE(batch.slot, BATCH_SLOT);
    bytes.writeUInt32LE(batch.stream, BATCH_STREAM);
    bytes.writeUInt32LE(batch.length, BATCH_LENGTH);
    bytes.writeUInt32LE(batch.final ? 1 : 0, BATCH_FINAL);
    bytes.writeUInt32LE(batch.encodedLength, ENCODED_LENGTH);
    bytes.writeDoubleLE(batch.logStart, LOG_START);
    bytes.writeUInt32LE(batch.tailFrom, TAIL_FROM);
    bytes.writeUInt32LE(batch.tailLength, TAIL_LENGTH);
    bytes.writeDoubleLE(batch.position, POSITION);
    bytes.writeUInt32LE(batch.tailTaken, TAIL_TAKEN);
  }

  /** Makes a slot empty for a new process whose log has `logEnd` bytes. */
  resetSlot(slot: number, logEnd: number): void {
    const at = slotAt(slot);
    this.#memory.bytes.fill(0, at, at + SLOT_BYTES);
    this.setLogEnd(slot, logEnd);
  }

  logEnd(slot: number): number {
    return this.#memory.bytes.readDoubleLE(slotAt(slot) + SLOT_LOG_END);
  }

  setLogEnd(slot: number, end: number): void {
    this.#memory.bytes.writeDoubleLE(end, slotAt(slot) + SLOT_LOG_END);
  }

  runtimePid(slot: number): number {
    return this.#memory.bytes.readInt32LE(slotAt(slot) + SLOT_RUNTIME_PID);
  }

  setRuntimePid(slot: number, pid: number): void {
    this.#memory.bytes.writeInt32LE(pid, slotAt(slot) + SLOT_RUNTIME_PID);
  }

  /** How many bytes of a stream have gone through. */
  position(slot: number, stream: number): number {
    return this.#memory.bytes.readDoubleLE(streamAt(slot, stream) + STREAM_POSITION);
  }

  setPosition(slot: number, stream: number, position: number): void {
    this.#memory.bytes.writeDoubleLE(position, streamAt(slot, stream) + STREAM_POSITION);
  }

  tailLength(slot: number, stream: number): number {
    return this.#memory.bytes.readUInt32LE(streamAt(slot, stream) + STREAM_TAIL);
  }

  setTailLength(slot: number, stream: number, length: number): void {
    this.#memory.bytes.writeUInt32LE(length, streamAt(slot, stream) + STREAM_TAIL);
  }

  hasEnded(slot: number, stream: number): boolean {
    return this.#memory.bytes.readUInt32LE(streamAt(slot, stream) + STREAM_ENDED) === 1;
  }

  setEnded(slot: number, stream: number): void {
    this.#memory.bytes.writeUInt32LE(1, streamAt(slot, stream) + STREAM_ENDED);
  }

  /** The batch that some client has not taken yet: its position in the stream and its bytes; empty when there is none. */
  unsent(slot: number, stream: number): { readonly offset: number; readonly bytes: Buffer } {
    const at = streamAt(slot, stream);
    const length = this.#memory.bytes.readUInt32LE(at + STREAM_UNSENT_LENGTH);
    const from = UNSENT_AT + (slot * 2 + stream) * BATCH_BYTES;
    return {
      offset: this.#memory.bytes.readDoubleLE(at + STREAM_UNSENT_OFFSET),
      bytes: this.#memory.bytes.subarray(from, from + length),
    };
  }

  setUnsent(slot: number, stream: number, offset: number, bytes: Buffer): void {
    const at = streamAt(slot, stream);
    bytes.copy(this.#memory.bytes, UNSENT_AT + (slot * 2 + stream) * BATCH_BYTES);
    this.#memory.bytes.writeDoubleLE(offset, at + STREAM_UNSENT_OFFSET);
    this.#memory.bytes.writeUInt32LE(bytes.length, at + STREAM_UNSENT_LENGTH);
  }

  clearUnsent(slot: number, stream: number): void {
    this.#memory.bytes.writeUInt32LE(0, streamAt(slot, stream) + STREAM_UNSENT_LENGTH);
  }

  /** The unfinished line of a stream, as kept between batches. */
  tail(slot: number, stream: number): Buffer {
    const from = TAILS_AT + (slot * 2 + stream) * MAX_ENTRY_BYTES;
    return this.#memory.bytes.subarray(from, from + MAX_ENTRY_BYTES);
  }

  /** Tail and new bytes of the batch in work, behind {@link FRAME_BYTES} of room. */
  work(length: number): Buffer {
    return this.#memory.bytes.subarray(WORK_AT + FRAME_BYTES, WORK_AT + FRAME_BYTES + length);
  }

  /** Address of byte `at` of {@link work}; may be negative down to −{@link FRAME_BYTES}. */
  workAddress(at: number): bigint {
    return this.#memory.address + BigInt(WORK_AT + FRAME_BYTES + at);
  }

  /** The bytes of a frame header that ends where byte `at` of {@link work} begins. */
  frameHeader(at: number): Buffer {
    return this.#memory.bytes.subarray(WORK_AT + at, WORK_AT + at + FRAME_BYTES);
  }

  get encoded(): Buffer {
    return this.#memory.bytes.subarray(ENCODED_AT, ENCODED_AT + ENCODED_BYTES);
  }

  get encodedAddress(): bigint {
    return this.#memory.address + BigInt(ENCODED_AT);
  }
}

function slotAt(slot: number): number {
  return HEADER_BYTES + slot * SLOT_BYTES;
}

function streamAt(slot: number, stream: number): number {
  return slotAt(slot) + SLOT_STREAMS + stream * STREAM_BYTES;
}
