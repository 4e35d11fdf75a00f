import { EngineError } from '../../base/errors.ts';
import { capabilitySets } from './capabilities.ts';
import type { ProcessInput, Ulimit } from './input.ts';
import type { RuntimeProcess } from './runtime-spec.ts';

const ulimitNames = new Set(
  'as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
);

/**
 * Returns the `process` object of a container or an exec.
 *
 * @throws {EngineError} invalidArgument for an unknown or inverted ulimit, or an argument with a zero byte.
 */
export function createProcess(input: ProcessInput, capabilities: readonly string[]): RuntimeProcess {
  for (const text of [...input.args, ...input.env, input.cwd ?? '/']) {
    if (text.includes('\0')) throw new EngineError('invalidArgument', `${JSON.stringify(text)} holds a zero byte`);
  }
  const { uid, gid, umask, additionalGids } = input.user;
  return {
    terminal: input.terminal,
    user: { uid, gid, ...(umask === undefined ? {} : { umask }), additionalGids: additionalGids ?? [] },
    args: input.args,
    env: input.env,
    cwd: input.cwd === undefined || input.cwd === '' ? '/' : input.cwd,
    capabilities: capabilitySets(capabilities),
    noNewPrivileges: input.noNewPrivileges ?? false,
    ...(input.ulimits && input.ulimits.length > 0 ? { rlimits: input.ulimits.map(rlimit) } : {}),
    ...(input.apparmorProfile === undefined ? {} : { apparmorProfile: input.apparmorProfile }),
    ...(input.oomScoreAdj === undefined || input.oomScoreAdj === 0 ? {} : { oomScoreAdj: input.oomScoreAdj }),
  };
}

function rlimit(limit: Ulimit): { type: string; hard: number; soft: number } {
  if (!ulimitNames.has(limit.name)) throw new EngineError('invalidArgument', `invalid ulimit type: ${limit.name}`);
  const unlimited = 2 ** 64;
  const soft = limit.soft === -1 ? unlimited : limit.soft;
  const hard = limit.hard === -1 ? unlimited : limit.hard;
  if (soft > hard) {
    throw new EngineError(
      'invalidArgument',
      `ulimit soft limit must be less than or equal to hard limit: ${limit.soft} > ${limit.hard}`,
    );
  }
  return { type: `RLIMIT_${limit.name.toUpperCase()}`, hard, soft };
}
