import { deferred, SerialQueue, type Deferred } from '../base/concurrency.ts';
import { next, type ContainerEvent } from './lifecycle.ts';
import { PendingAttachments } from './pending-attachments.ts';
import type { ContainerRecord } from './record.ts';

/** For what `wait` waits. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** How a wait ended. */
export interface WaitResult {
  readonly exitCode: number;
}

/** A container in memory: its record, the queue that its changes pass through one by one, and who waits for it. */
export class ContainerInstance {
  #record: ContainerRecord;
  /** Every change of the container runs in here; reads never wait for it. */
  readonly queue: SerialQueue = new SerialQueue();
  readonly attachments: PendingAttachments = new PendingAttachments();
  readonly #exits: Deferred<WaitResult>[] = [];
  readonly #removals: Deferred<WaitResult>[] = [];
  readonly #execs = new Set<string>();
  /** Until the next restart by policy. */
  restartDelayMs = 0;
  cancelRestart: (() => void) | undefined;
  removed = false;

  constructor(record: ContainerRecord) {
    this.#record = record;
  }

  get record(): ContainerRecord {
    return this.#record;
  }

  get execs(): ReadonlySet<string> {
    return this.#execs;
  }

  addExec(id: string): void {
    this.#execs.add(id);
  }

  removeExec(id: string): void {
    this.#execs.delete(id);
  }

  /** Changes what is not state. */
  edit(changes: Partial<Omit<ContainerRecord, 'id' | 'state'>>): ContainerRecord {
    this.#record = { ...this.#record, ...changes };
    return this.#record;
  }

  /** Moves the container through its life. */
  apply(event: ContainerEvent): ContainerRecord {
    this.#record = { ...this.#record, state: next(this.#record.state, event) };
    return this.#record;
  }

  /** Settles when the container is in the condition. */
  wait(condition: WaitCondition): Promise<WaitResult> {
    const { status, exitCode } = this.#record.state;
    if (condition === 'not-running' && status !== 'running' && status !== 'paused' && status !== 'restarting') {
      return Promise.resolve({ exitCode });
    }
    const waiter = deferred<WaitResult>();
    (condition === 'removed' ? this.#removals : this.#exits).push(waiter);
    return waiter.promise;
  }

  /** Tells who waits for an exit. */
  tellExit(): void {
    for (const waiter of this.#exits.splice(0)) waiter.resolve({ exitCode: this.#record.state.exitCode });
  }

  /** Tells who waits for the removal, and everybody else: nothing more will happen. */
  tellRemoval(): void {
    const result = { exitCode: this.#record.state.exitCode };
    for (const waiter of [...this.#removals.splice(0), ...this.#exits.splice(0)]) waiter.resolve(result);
    this.attachments.cancel();
  }
}
