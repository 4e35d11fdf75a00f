import { bytesWaiting, readBytes, spliceBytes } from '../../host/pipe.ts';
import type { Pipe, Transfer } from '../../host/pipe.ts';
import { encodeEntries, formatLogTime } from '../../logs/json-file-format.ts';
import { writeFrameHeader } from './frames.ts';
import { BATCH_BYTES, FRAME_BYTES, phases } from './journal.ts';
import type { Batch, Journal } from './journal.ts';
import type { LogFile } from './log-file.ts';

/** What the pump needs to know of the process that a slot belongs to. */
export interface PumpTarget {
  readonly log: LogFile | undefined;
  /** Hands new output to attached clients: a whole frame in mapped memory. Returns `false` when one did not take it all. */
  deliver(stream: number, address: bigint, frame: Buffer): boolean;
}

/*
 * How output moves, so that a monitor killed at any instant loses and doubles nothing:
 *
 *   process ─▶ pipe or terminal ─splice▶ staging pipe ─read▶ journal.work ─encode▶ journal.encoded ─pwrite at position▶ log ─▶ clients
 *
 *   phase     what is true                      what a successor does
 *   idle      nothing in work                   nothing
 *   splicing  staging belongs to this stream    bytes in staging are the batch; none: idle
 *   reading   n bytes in staging and work       reads the rest behind what is in work
 *   encoding  all in work                       encodes again: nothing was written yet
 *   writing   entries and position are fixed    writes the same bytes at the same place again
 *   written   the log has them                  takes over the new ends, hands to clients again (they drop by offset)
 *   rotating  the log moves to the next name    moves what has not moved (see LogFile.rotate)
 *
 * splice moves pages inside the kernel, so each byte is in the source or in staging, and the engine holds staging open.
 */

/** Moves output, one batch at a time, all of a batch in one call. */
export class Pump {
  readonly #journal: Journal;
  readonly #staging: Pipe;
  readonly #target: (slot: number) => PumpTarget | undefined;

  constructor(journal: Journal, staging: Pipe, target: (slot: number) => PumpTarget | undefined) {
    this.#journal = journal;
    this.#staging = staging;
    this.#target = target;
  }

  /** Moves up to 64 KiB from a source. `'end'`: the stream has ended, and its unfinished line is written. */
  move(slot: number, stream: number, source: number): Transfer {
    const journal = this.#journal;
    const tail = this.#target(slot)?.log ? journal.tailLength(slot, stream) : 0;
    const batch = newBatch(slot, stream, journal.position(slot, stream), tail);
    journal.writeBatch(batch);
    journal.phase = phases.splicing;
    const count = spliceBytes(source, this.#staging.write, BATCH_BYTES);
    if (count === 'again') {
      journal.phase = phases.idle;
      return count;
    }
    batch.length = count === 'end' ? 0 : count;
    batch.final = count === 'end';
    journal.writeBatch(batch);
    journal.phase = phases.reading;
    this.#finish(batch, phases.reading);
    return count;
  }

  /**
   * Completes what a dead monitor had in work. Call once, when all slots have their targets and clients. When the staging pipe
   * died too (`stagingIsNew`), a batch that was in it is lost.
   */
  recover(stagingIsNew: boolean): { readonly phase: number; readonly slot: number } {
    const journal = this.#journal;
    const phase = journal.phase;
    const batch = journal.readBatch();
    if (stagingIsNew && (phase === phases.splicing || phase === phases.reading)) {
      journal.phase = phases.idle;
    } else if (phase === phases.splicing) {
      batch.length = bytesWaiting(this.#staging.read);
      if (batch.length > 0) {
        journal.writeBatch(batch);
        journal.phase = phases.reading;
        this.#finish(batch, phases.reading);
      }
    } else if (phase === phases.rotating) {
      this.#rotate(batch.slot);
    } else if (phase !== phases.idle) {
      this.#finish(batch, phase);
    }
    journal.phase = phases.idle;
    return { phase, slot: batch.slot };
  }

  #finish(batch: Batch, from: number): void {
    const journal = this.#journal;
    const target = this.#target(batch.slot);
    const tail = batch.tailTaken;
    if (from <= phases.reading) {
      this.#read(batch, tail);
      journal.phase = phases.encoding;
    }
    if (from <= phases.encoding) {
      if (target?.log) this.#encode(batch, tail);
      journal.writeBatch(batch);
      journal.phase = phases.writing;
    }
    if (from <= phases.writing) {
      this.#write(batch, target?.log);
      journal.phase = phases.written;
    }
    this.#publish(batch, tail, target);
    journal.phase = phases.idle;
    if (target?.log?.needsRotation(journal.logEnd(batch.slot)) === true) {
      journal.phase = phases.rotating;
      this.#rotate(batch.slot);
      journal.phase = phases.idle;
    }
  }

  /** The tail is copied again by a successor: its area changes only in a later phase. */
  #read(batch: Batch, tail: number): void {
    const journal = this.#journal;
    journal.tail(batch.slot, batch.stream).copy(journal.work(tail), 0, 0, tail);
    let done = batch.length === 0 ? 0 : batch.length - bytesWaiting(this.#staging.read);
    while (done < batch.length) {
      const count = readBytes(this.#staging.read, journal.workAddress(tail + done), batch.length - done);
      if (typeof count !== 'number') throw new Error('staged output has vanished');
      done += count;
    }
  }

  #encode(batch: Batch, tail: number): void {
    const journal = this.#journal;
    const source = journal.work(tail + batch.length);
    const time = formatLogTime(performance.timeOrigin + performance.now());
    const entries = encodeEntries(source, batch.stream === 1 ? 'stderr' : 'stdout', time, batch.final, journal.encoded);
    batch.encodedLength = entries.length;
    batch.logStart = journal.logEnd(batch.slot);
    batch.tailFrom = entries.tailFrom;
    batch.tailLength = source.length - entries.tailFrom;
  }

  #write(batch: Batch, log: LogFile | undefined): void {
    if (!log) return;
    const journal = this.#journal;
    if (batch.encodedLength > 0) {
      const end = log.write(journal.encodedAddress, batch.encodedLength, batch.logStart);
      if (end !== batch.logStart + batch.encodedLength) {
        batch.encodedLength = end - batch.logStart;
        journal.writeBatch(batch);
      }
    }
    const { slot, stream, tailFrom, tailLength } = batch;
    journal.work(tailFrom + tailLength).copy(journal.tail(slot, stream), 0, tailFrom, tailFrom + tailLength);
  }

  #publish(batch: Batch, tail: number, target: PumpTarget | undefined): void {
    const journal = this.#journal;
    const { slot, stream, length, position } = batch;
    if (length > 0 && target) {
      // The header overwrites the end of the tail, which is written or kept elsewhere by now.
      writeFrameHeader(journal.frameHeader(tail), stream, length, position);
      const frame = journal.work(tail + length).buffer;
      const start = journal.frameHeader(tail).byteOffset;
      const whole = Buffer.from(frame, start, FRAME_BYTES + length);
      const address = journal.workAddress(tail - FRAME_BYTES);
      if (!target.deliver(stream, address, whole))
        journal.setUnsent(slot, stream, position, whole.subarray(FRAME_BYTES));
    }
    // All absolute: doing it again changes nothing.
    if (target?.log) journal.setLogEnd(slot, batch.logStart + batch.encodedLength);
    journal.setPosition(slot, stream, position + length);
    if (batch.final) journal.setEnded(slot, stream);
    if (target?.log) journal.setTailLength(slot, stream, batch.tailLength);
  }

  #rotate(slot: number): void {
    this.#target(slot)?.log?.rotate();
    this.#journal.setLogEnd(slot, 0);
  }
}

function newBatch(slot: number, stream: number, position: number, tailTaken: number): Batch {
  return {
    slot,
    stream,
    length: 0,
    final: false,
    encodedLength: 0,
    logStart: 0,
    tailFrom: 0,
    tailLength: 0,
    position,
    tailTaken,
  };
}
