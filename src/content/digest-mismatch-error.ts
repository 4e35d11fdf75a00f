import { EngineError } from '../base/errors.ts';

/** Content is not what its descriptor says. */
export class DigestMismatchError extends EngineError {
  readonly field: 'digest' | 'size';
  readonly expected: string;
  readonly actual: string;

  constructor(subject: string, field: 'digest' | 'size', expected: string | number, actual: string | number) {
    super('failedPrecondition', `${subject}: unexpected ${field} ${actual}, expected ${expected}`);
    this.name = 'DigestMismatchError';
    this.field = field;
    this.expected = String(expected);
    this.actual = String(actual);
  }
}

/** @throws {DigestMismatchError} when a size is known and differs. */
export function checkSize(digest: string, expected: number | undefined, actual: number): void {
  if (expected !== undefined && expected !== actual) throw new DigestMismatchError(digest, 'size', expected, actual);
}

/** @throws {DigestMismatchError} when they differ. */
export function checkDigest(expected: string, actual: string): void {
  if (expected !== actual) throw new DigestMismatchError(expected, 'digest', expected, actual);
}
