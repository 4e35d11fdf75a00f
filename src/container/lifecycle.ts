/**
 * The life of a container, as a pure function of state and event.
 *
 * ```
 *            start            exited
 *  created ────────▶ running ─────────▶ exited ──start──▶ running
 *     │  ▲              │ ▲  ╲               │
 *     │  ╰─startFailed  │ │   ╲ exited, and the policy says again
 *     │           pause ▼ │unpause           ▼
 *     │               paused     restarting ──start──▶ running
 *     ╰──────────────── remove ──▶ removing ──▶ (gone)
 * ```
 *
 * `next` returns the new state, or throws the conflict in docker's words. What has to be done about it is the service's work.
 */
import { EngineError } from '../base/errors.ts';

/** Docker's words for where a container is in its life. */
export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'removing' | 'dead';

/** What changes during a container's life. */
export interface ContainerState {
  readonly status: ContainerStatus;
  readonly pid: number;
  /** Names the process together with the pid. */
  readonly processStartTime: number;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly restartCount: number;
  /** Somebody asked for the stop: restart policies leave such a container alone. */
  readonly stopRequested: boolean;
}

/** What happens to a container. */
export type ContainerEvent =
  | {
      readonly type: 'started';
      readonly pid: number;
      readonly processStartTime: number;
      readonly time: Date;
      readonly again: boolean;
    }
  | { readonly type: 'startFailed'; readonly exitCode: number; readonly error: string }
  | {
      readonly type: 'exited';
      readonly exitCode: number;
      readonly oomKilled: boolean;
      readonly time: Date;
      readonly error?: string;
    }
  | { readonly type: 'restartPlanned' }
  | { readonly type: 'stopRequested' }
  | { readonly type: 'paused' }
  | { readonly type: 'unpaused' }
  | { readonly type: 'removing' }
  | { readonly type: 'removeFailed'; readonly error: string };

/** The state of a container that was just made. */
export const createdState: ContainerState = {
  status: 'created',
  pid: 0,
  processStartTime: 0,
  exitCode: 0,
  error: '',
  oomKilled: false,
  restartCount: 0,
  stopRequested: false,
};

/** Returns the state after an event. @throws {EngineError} internal when the event cannot happen in this state */
export function next(state: ContainerState, event: ContainerEvent): ContainerState {
  switch (event.type) {
    case 'started':
      require(state, event.type, 'created', 'exited', 'restarting');
      return {
        ...state,
        status: 'running',
        pid: event.pid,
        processStartTime: event.processStartTime,
        exitCode: 0,
        error: '',
        oomKilled: false,
        startedAt: event.time.toISOString(),
        restartCount: event.again ? state.restartCount + 1 : 0,
        stopRequested: false,
      };
    case 'startFailed':
      require(state, event.type, 'created', 'exited', 'restarting');
      return {
        ...state,
        status: state.status === 'created' ? 'created' : 'exited',
        exitCode: event.exitCode,
        error: event.error,
      };
    case 'exited': {
      require(state, event.type, 'running', 'paused');
      const { exitCode, oomKilled, time, error = '' } = event;
      return {
        ...state,
        status: 'exited',
        pid: 0,
        processStartTime: 0,
        exitCode,
        oomKilled,
        error,
        finishedAt: time.toISOString(),
      };
    }
    case 'restartPlanned':
      require(state, event.type, 'exited');
      return { ...state, status: 'restarting' };
    case 'stopRequested':
      return { ...state, stopRequested: true, status: state.status === 'restarting' ? 'exited' : state.status };
    case 'paused':
      require(state, event.type, 'running');
      return { ...state, status: 'paused' };
    case 'unpaused':
      require(state, event.type, 'paused');
      return { ...state, status: 'running' };
    case 'removing':
      require(state, event.type, 'created', 'exited', 'restarting', 'dead');
      return { ...state, status: 'removing' };
    case 'removeFailed':
      require(state, event.type, 'removing');
      return { ...state, status: 'dead', error: event.error };
  }
}

function require(state: ContainerState, event: ContainerEvent['type'], ...allowed: readonly ContainerStatus[]): void {
  if (allowed.includes(state.status)) return;
  throw new EngineError('internal', `a ${state.status} container cannot take the event ${event}`);
}

/** Whether the container's program runs, paused or not. */
export function isRunning(state: ContainerState): boolean {
  return state.status === 'running' || state.status === 'paused';
}

/** When a container that ended is started again. */
export interface RestartPolicy {
  readonly name: string;
  readonly maximumRetryCount: number;
}

/** Whether the policy starts the container again after the exit that `state` tells of. */
export function restartsAfter(state: ContainerState, policy: RestartPolicy): boolean {
  if (state.stopRequested) return false;
  switch (policy.name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return state.exitCode !== 0 && (policy.maximumRetryCount === 0 || state.restartCount < policy.maximumRetryCount);
    default:
      return false;
  }
}

const firstDelayMs = 100;
const longestDelayMs = 60_000;
const settledAfterMs = 10_000;

/** How long to wait before a restart: doubles from 100 ms to a minute, from the start again once a run lasted ten seconds. */
export function restartDelayMs(previousDelayMs: number, ranForMs: number): number {
  if (previousDelayMs === 0 || ranForMs >= settledAfterMs) return firstDelayMs;
  return Math.min(previousDelayMs * 2, longestDelayMs);
}

/** @throws {EngineError} conflict in docker's words when the container cannot be started from this state */
export function requireStartable(state: ContainerState): void {
  if (state.status === 'paused') {
    throw new EngineError('conflict', 'cannot start a paused container, try unpause instead');
  }
  if (state.status === 'removing' || state.status === 'dead') {
    throw new EngineError('conflict', 'container is marked for removal and cannot be started');
  }
}
