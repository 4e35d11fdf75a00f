import type { RuntimeFailure } from './protocol.ts';

/** A runtime refused to start a process. */
export class StartError extends Error {
  readonly failure: RuntimeFailure;

  constructor(failure: RuntimeFailure) {
    super(failure.runtimeText);
    this.name = 'StartError';
    this.failure = failure;
  }
}
