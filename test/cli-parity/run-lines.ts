/** Runs the command lines of the table with one client in a world of its own. */
import { runCommand } from '../harness/command.ts';
import { openWorld } from '../harness/world.ts';
import { inputs, lines } from './cases.ts';
import { mask } from './mask.ts';

/** What a client has answered, masked. */
export interface ClientAnswer {
  readonly line: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs all lines with a client, given as a command and its first arguments. */
export async function runLines(client: readonly [string, ...string[]]): Promise<readonly ClientAnswer[]> {
  await using world = await openWorld();
  const [command, ...first] = client;
  const { SLIPWAY_HOST: _host, DOCKER_API_VERSION: _version, ...rest } = world.docker.env;
  const env = { ...rest, TZ: 'UTC' };
  const answers: ClientAnswer[] = [];
  for (const line of lines) {
    const args = splitLine(line.replaceAll('{HUB}', world.hub).replaceAll('{DIR}', world.directory));
    const input = inputs[line];
    const result = await runCommand(command, [...first, ...args], { env, ...(input === undefined ? {} : { input }) });
    const places = { hub: world.hub, directory: world.directory, socket: world.engine.socketPath };
    const isHelp = /(--help|help \w+|-h)$/.test(line);
    const masked = (text: string): string => mask(text, places, isHelp ? 'exact columns' : 'any columns');
    answers.push({ line, code: result.code, stdout: masked(result.stdout), stderr: masked(result.stderr) });
  }
  return answers;
}

/** Takes a line apart as a shell does, as far as single quotes go. */
export function splitLine(line: string): string[] {
  const words = line.match(/(?:'[^']*'|[^\s'])+/g) ?? [];
  return words.map((word) => word.replaceAll("'", ''));
}
