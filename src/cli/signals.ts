import { constants } from 'node:os';
import type { EngineClient } from '../client/engine-client.ts';

/** Signals that are ours alone: of the terminal's size, of children, of pipes, and what nobody can catch. */
const kept = new Set([
  'SIGKILL',
  'SIGSTOP',
  'SIGCHLD',
  'SIGPIPE',
  'SIGWINCH',
  'SIGURG',
  'SIGPROF',
  'SIGSEGV',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
]);

/** Sends every signal that reaches us to a container until disposed. */
export function proxySignals(engine: EngineClient, container: string): Disposable {
  const forward = (signal: NodeJS.Signals): void => {
    const path = `/containers/${encodeURIComponent(container)}/kill`;
    // The container may have gone in the meantime, which is what the signal was for.
    engine.text('POST', path, { query: { signal: signal.replace(/^SIG/, '') } }).catch(() => undefined);
  };
  const names = Object.keys(constants.signals).filter((name) => !kept.has(name)) as NodeJS.Signals[];
  const listened: NodeJS.Signals[] = [];
  for (const name of names) {
    try {
      process.on(name, forward);
      listened.push(name);
    } catch {
      // A signal that the runtime keeps for itself.
    }
  }
  return { [Symbol.dispose]: () => listened.forEach((name) => process.off(name, forward)) };
}
