import { CommandError } from '../command-error.ts';
import { readUserFile } from './environment.ts';

/**
 * Reads `--security-opt`: a seccomp profile is read from the client's file. `systempaths=unconfined` is taken out, because it is about
 * paths.
 *
 * @throws {CommandError}
 */
export function parseSecurity(values: readonly string[]): {
  readonly options: readonly string[];
  readonly unconfinedPaths: boolean;
} {
  const options: string[] = [];
  let unconfinedPaths = false;
  for (const value of values) {
    if (value === 'systempaths=unconfined') unconfinedPaths = true;
    else options.push(parseOption(value));
  }
  return { options, unconfinedPaths };
}

function parseOption(value: string): string {
  const match = /^(?<key>[^=:]+)[=:](?<text>.*)$/s.exec(value);
  if (!match) {
    if (value === 'no-new-privileges') return value;
    throw new CommandError(`Invalid --security-opt: ${JSON.stringify(value)}`);
  }
  const { key, text = '' } = match.groups ?? {};
  if (key !== 'seccomp' || text === 'unconfined' || text === 'builtin') return value;
  try {
    return `seccomp=${JSON.stringify(JSON.parse(readUserFile(text)))}`;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const verb = error instanceof CommandError ? 'opening' : 'compacting json for';
    throw new CommandError(`${verb} seccomp profile (${text}) failed: ${reason}`, 1, { cause: error });
  }
}
