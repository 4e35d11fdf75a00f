import { EngineError } from '../base/errors.ts';

/** The OCI runtime could not start a process. */
export class RuntimeError extends EngineError {
  /** As docker counts: 127 no such program, 126 not executable, 125 everything else. */
  readonly exitCode: 125 | 126 | 127;
  /** In docker's words, from `unable to start container process: ` on. */
  readonly runtimeText: string;

  constructor(exitCode: 125 | 126 | 127, runtimeText: string, options?: { cause?: unknown }) {
    super(exitCode === 125 ? 'internal' : 'invalidArgument', runtimeText, options);
    this.name = 'RuntimeError';
    this.exitCode = exitCode;
    this.runtimeText = runtimeText;
  }
}
