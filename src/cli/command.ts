import type { Session } from './session.ts';
import type { Flag } from './flags/flag.ts';
import type { FlagValues } from './flags/flag-values.ts';

/** How many arguments a command takes. */
export interface ArgumentCount {
  readonly min: number;
  /** Unlimited when absent. */
  readonly max?: number;
}

/** A verb of the command line. Values only: nothing happens before `run`. */
export interface Command {
  /** The names it goes by, without the program: `run`, `container run`. */
  readonly names: readonly string[];
  /** Names to be shown under "Aliases"; absent for a command that shows none. */
  readonly aliases?: readonly string[];
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  readonly count: ArgumentCount;
  /** Whether flags end at the first argument, because what follows belongs to a program in the container. */
  readonly flagsFirst?: boolean;
  /** Returns the exit code. */
  run(invocation: Invocation): Promise<number>;
}

/** One use of a command. */
export interface Invocation {
  /** The name it was called by. */
  readonly name: string;
  readonly session: Session;
  readonly flags: FlagValues;
  readonly args: readonly string[];
}
