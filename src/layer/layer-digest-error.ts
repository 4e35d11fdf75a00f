import { EngineError } from '../base/errors.ts';

/** A layer's tar does not have the digest that its image's config states. */
export class LayerDigestError extends EngineError {
  readonly expected: string;
  readonly actual: string;

  constructor(expected: string, actual: string) {
    super('failedPrecondition', `layer ${expected}: its tar has digest ${actual}`);
    this.name = 'LayerDigestError';
    this.expected = expected;
    this.actual = actual;
  }
}
