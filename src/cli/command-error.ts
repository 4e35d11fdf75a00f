/** Ends the program with a text on stderr, as it is, and an exit code. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** The name that the program shows of itself. */
export const programName = 'slipway';

/** The version of this client. */
export const clientVersion = '0.1.0';
