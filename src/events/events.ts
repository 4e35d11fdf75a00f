import type { Clock } from '../base/clock.ts';

/** What kind of object an event tells of. */
export type EventSubject = 'container' | 'image' | 'network' | 'volume' | 'daemon';

/** Something that has happened. Events broadcast; nothing is controlled by them. */
export interface EngineEvent {
  readonly subject: EventSubject;
  /** Docker's word, as `start` or `exec_create: ls`. */
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly time: Date;
  /** Nanoseconds since the epoch; grows strictly from event to event. */
  readonly timeNanoseconds: bigint;
}

/** Which part of the past to replay; times are inclusive. */
export interface EventWindow {
  readonly sinceNanoseconds?: bigint;
  readonly untilNanoseconds?: bigint;
}

const kept = 4096;

/** Tells events to whoever listens, and the last few thousand to whoever comes later. */
export class EventBus {
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  readonly #past: EngineEvent[] = [];
  #lastNanoseconds = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  publish(subject: EventSubject, action: string, id: string, attributes: Readonly<Record<string, string>>): void {
    const time = this.#clock.now();
    let timeNanoseconds = BigInt(time.getTime()) * 1_000_000n;
    if (timeNanoseconds <= this.#lastNanoseconds) timeNanoseconds = this.#lastNanoseconds + 1n;
    this.#lastNanoseconds = timeNanoseconds;
    const event: EngineEvent = { subject, action, id, attributes, time, timeNanoseconds };
    this.#past.push(event);
    if (this.#past.length > kept) this.#past.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** Calls `listener` with every event from now on; returns a function that ends it. */
  subscribe(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Returns the kept events within a window, oldest first. */
  replay(window: EventWindow): readonly EngineEvent[] {
    return this.#past.filter(
      ({ timeNanoseconds }) =>
        (window.sinceNanoseconds === undefined || timeNanoseconds >= window.sinceNanoseconds) &&
        (window.untilNanoseconds === undefined || timeNanoseconds <= window.untilNanoseconds),
    );
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }
}
