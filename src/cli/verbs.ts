import type { Command } from './command.ts';
import { attachCommand } from './commands/attach.ts';
import { commitCommand } from './commands/commit.ts';
import { createCommand } from './commands/create.ts';
import { diffCommand } from './commands/diff.ts';
import { eventsCommand } from './commands/events.ts';
import { execCommand } from './commands/exec.ts';
import { historyCommand } from './commands/history.ts';
import { imagesCommand } from './commands/images.ts';
import { infoCommand } from './commands/info.ts';
import { containerInspectCommand, imageInspectCommand, inspectCommand } from './commands/inspect.ts';
import { killCommand } from './commands/kill.ts';
import { logCommand } from './commands/log.ts';
import { loginCommand, logoutCommand } from './commands/login.ts';
import { logsCommand } from './commands/logs.ts';
import { pauseCommand, unpauseCommand } from './commands/pause.ts';
import { portCommand } from './commands/port.ts';
import { containerPruneCommand, imagePruneCommand } from './commands/prune.ts';
import { psCommand } from './commands/ps.ts';
import { pullCommand } from './commands/pull.ts';
import { pushCommand } from './commands/push.ts';
import { renameCommand } from './commands/rename.ts';
import { rmCommand } from './commands/rm.ts';
import { rmiCommand } from './commands/rmi.ts';
import { rollbackCommand } from './commands/rollback.ts';
import { runCommand } from './commands/run.ts';
import { searchCommand } from './commands/search.ts';
import { startCommand } from './commands/start.ts';
import { restartCommand, stopCommand } from './commands/stop.ts';
import { tagCommand } from './commands/tag.ts';
import { topCommand } from './commands/top.ts';
import { versionCommand } from './commands/version.ts';
import { waitCommand } from './commands/wait.ts';

/** Every verb there is. */
export const commands: readonly Command[] = [
  attachCommand,
  commitCommand,
  containerInspectCommand,
  containerPruneCommand,
  createCommand,
  diffCommand,
  eventsCommand,
  execCommand,
  historyCommand,
  imageInspectCommand,
  imagePruneCommand,
  imagesCommand,
  infoCommand,
  inspectCommand,
  killCommand,
  logCommand,
  loginCommand,
  logoutCommand,
  logsCommand,
  pauseCommand,
  portCommand,
  psCommand,
  pullCommand,
  pushCommand,
  renameCommand,
  restartCommand,
  rmCommand,
  rmiCommand,
  rollbackCommand,
  runCommand,
  searchCommand,
  startCommand,
  stopCommand,
  tagCommand,
  topCommand,
  unpauseCommand,
  versionCommand,
  waitCommand,
];

/** Returns the command of a name, such as `ps` or `container ls`. */
export function findCommand(name: string): Command | undefined {
  return commands.find(({ names }) => names.includes(name));
}

/** Returns the name if it is that of a group of commands. */
export function findGroup(name: string): string | undefined {
  return ['container', 'image', 'system'].find((group) => group === name);
}
