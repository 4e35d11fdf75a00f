/** The stock docker client. */
import { execFileSync } from 'node:child_process';
import { runCommand, type CommandOptions, type CommandResult } from './command.ts';

/** Why tests that need the docker client cannot run; undefined when it is there. */
export const withoutDocker: string | undefined = findReason();

function findReason(): string | undefined {
  try {
    execFileSync('docker', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'SKIPPED: the stock docker client is not on PATH';
  }
}

/** Runs the docker client against one engine. */
export class Docker {
  readonly env: NodeJS.ProcessEnv;

  constructor(socketPath: string, configDirectory: string, apiVersion?: string) {
    const { DOCKER_CONTEXT: _context, DOCKER_API_VERSION: _version, ...env } = process.env;
    this.env = {
      ...env,
      DOCKER_HOST: `unix://${socketPath}`,
      DOCKER_CONFIG: configDirectory,
      ...(apiVersion === undefined ? {} : { DOCKER_API_VERSION: apiVersion }),
    };
  }

  /** Runs the client to its end. */
  try(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand('docker', args, { env: this.env, ...options });
  }

  /** Runs the client and returns what it prints, without the last line feed. @throws Error unless it exits with 0 */
  async run(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(args);
    if (code !== 0) throw new Error(`docker ${args.join(' ')} exits with ${code}:\n${stdout}${stderr}`);
    return stdout.replace(/\n$/, '');
  }
}
