import type { AttachRequest, TerminalSize } from '../runtime/process-host.ts';

/** What to run in a container. */
export interface ExecConfig {
  readonly command: readonly string[];
  readonly user: string;
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly privileged: boolean;
  readonly terminal: boolean;
  readonly size?: TerminalSize;
  readonly detachKeys?: string;
  readonly streams: AttachRequest;
}
