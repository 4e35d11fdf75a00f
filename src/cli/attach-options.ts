import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineClient } from '../client/engine-client.ts';
import { kindOf } from '../base/errors.ts';
import { CommandError } from './command-error.ts';
import type { FlagValues } from './flags/flag-values.ts';
import { objectOf } from './format/fields.ts';
import { isTerminal, type Session } from './session.ts';

/** Returns the keys that detach: the flag's, else the user's setting; empty for the engine's own. */
export async function detachKeys(session: Session, flags: FlagValues): Promise<string> {
  return flags.string('detach-keys') || (await session.setting('detachKeys'));
}

/** A process with a terminal cannot read from something else. @throws {CommandError} */
export function checkInputTerminal({ stdin, tty }: { readonly stdin: boolean; readonly tty: boolean }): void {
  if (stdin && tty && !isTerminal('stdin')) throw new CommandError('the input device is not a TTY');
}

/** How long the end of a process may take to follow the end of its output. */
const endDelayMs = 100;

/**
 * Whether a stream ended because the user detached: then the container runs on, while its end would follow that of its output.
 */
export async function hasDetached(engine: EngineClient, container: string, exit: Promise<unknown>): Promise<boolean> {
  const ended = exit.then(
    () => 'ended' as const,
    () => 'ended' as const,
  );
  using timer = new Abort();
  const delay = sleep(endDelayMs, 'waiting' as const, { signal: timer.signal }).catch(() => 'waiting' as const);
  if ((await Promise.race([ended, delay])) === 'ended') return false;
  try {
    const { State } = await engine.object('GET', `/containers/${container}/json`);
    return objectOf(State)['Running'] === true;
  } catch (error) {
    if (kindOf(error) === 'notFound') return false;
    throw error;
  }
}

class Abort implements Disposable {
  readonly #controller = new AbortController();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#controller.abort();
  }
}
