import { messageOf } from '../base/errors.ts';
import type { Command } from './command.ts';
import { CommandError, programName } from './command-error.ts';
import { FlagError, parseFlags } from './flags/parse-flags.ts';
import { commandHelp } from './help.ts';
import { groupHelp, rootFlags, rootHelp, rootUsage, versionLine } from './root.ts';
import { helpWidth, Session } from './session.ts';
import { findCommand, findGroup } from './verbs.ts';

/**
 * Runs a command line and returns its exit code. Servers are loaded only when they are asked for, and end by themselves; commands
 * end the process, whatever is still open.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  if (command === 'daemon') return (await import('../daemon/main.ts')).runDaemon(rest);
  if (command === 'hub') return (await import('../daemon/hub.ts')).runHub(rest);
  // Whoever reads our output may go before we are done.
  process.stdout.on('error', () => process.exit(1));
  process.exit(await runClient(argv));
}

async function runClient(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    const text = messageOf(error);
    if (text !== '') process.stderr.write(`${text}\n`);
    return error instanceof CommandError ? error.exitCode : 1;
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const { values, args } = understand(argv, '', rootUsage, () => parseFlags(argv, rootFlags, 'first'));
  if (values.bool('version')) return print(versionLine());
  const level = values.string('log-level', 'info');
  if (!/^(panic|fatal|error|warn|warning|info|debug|trace)$/i.test(level)) {
    throw new CommandError(`Unable to parse logging level: ${level}`);
  }
  if (args.length === 0 || values.bool('help')) return print(rootHelp(helpWidth()));
  const session = new Session({
    environment: process.env,
    ...(values.has('host') ? { host: values.string('host') } : {}),
    ...(values.has('config') ? { configDirectory: values.string('config') } : {}),
  });
  return args[0] === 'help' ? helpOn(args.slice(1)) : runVerb(args, session);
}

async function runVerb(args: readonly string[], session: Session): Promise<number> {
  const [first = '', second = ''] = args;
  const group = findGroup(first);
  if (group && (second === '' || second === '--help')) return print(groupHelp(group));
  const name = group ? `${first} ${second}` : first;
  const command = findCommand(name);
  if (!command) throw unknownCommand(name, group);
  const rest = args.slice(group ? 2 : 1);
  const usage = `${name}${command.usage === '' ? '' : ` ${command.usage}`}`;
  const placement = command.flagsFirst === true ? 'first' : 'anywhere';
  const parsed = understand(rest, name, usage, () => parseFlags(rest, command.flags, placement));
  const help = parsed.values.string('help');
  const notice = help === 'deprecated' ? 'Flag shorthand -h has been deprecated, use --help\n' : '';
  if (parsed.values.bool('help') || notice !== '') return print(notice + commandHelp(command, name, helpWidth()));
  checkCount(command, name, usage, parsed.args.length);
  return command.run({ name, session, flags: parsed.values, args: parsed.args });
}

function understand<Parsed>(argv: readonly string[], name: string, usage: string, parse: () => Parsed): Parsed {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    const help = `${name === '' ? programName : `${programName} ${name}`} --help`;
    const text = `${error.message}\n\nUsage:  ${programName} ${usage}\n\nRun '${help}' for more information`;
    throw new CommandError(text, 125, { cause: error });
  }
}

function checkCount({ count: { min, max } }: Command, name: string, usage: string, given: number): void {
  if (given >= min && (max === undefined || given <= max)) return;
  const full = `${programName} ${name}`;
  const plural = (count: number): string => `${count} argument${count === 1 ? '' : 's'}`;
  let wants = `requires at least ${plural(min)}`;
  if (max === 0) wants = 'accepts no arguments';
  else if (min === max) wants = `requires ${plural(min)}`;
  else if (max !== undefined && min > 0) wants = `requires at least ${min} and at most ${plural(max)}`;
  else if (max !== undefined) wants = `requires at most ${plural(max)}`;
  const verb = max === undefined ? 'See' : 'Run';
  const hint = `${verb} '${full} --help' for more information`;
  throw new CommandError(`${programName}: '${full}' ${wants}\n\nUsage:  ${programName} ${usage}\n\n${hint}`);
}

function helpOn(words: readonly string[]): number {
  const name = words.join(' ');
  const command = findCommand(name);
  const group = findGroup(name);
  if (words.length === 0) return print(rootHelp(helpWidth()));
  if (group) return print(groupHelp(group));
  if (!command) throw new CommandError(`unknown help topic: ${name}`);
  return print(commandHelp(command, name, helpWidth()));
}

function unknownCommand(name: string, group: string | undefined): CommandError {
  const usage = group === undefined ? '' : `Usage:  ${programName} ${group}\n\n`;
  const help = group === undefined ? programName : `${programName} ${group}`;
  const text = `${programName}: unknown command: ${programName} ${name}\n\n${usage}Run '${help} --help' for more information`;
  return new CommandError(text);
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
