// Where `npm start` keeps what it boots, and how it is told otherwise:
// npm start -- [--data-root DIR] [--exec-root DIR] [--hub-listen HOST:PORT]
import path from 'node:path';

/** Reads the options of start and stop. */
export function readPlaces(argv) {
  const given = { 'data-root': '/var/lib/slipway', 'exec-root': '/run/slipway', 'hub-listen': '127.0.0.1:5000' };
  for (let index = 0; index < argv.length; index += 2) {
    const name = String(argv[index]).replace(/^--/, '');
    if (!(name in given) || argv[index + 1] === undefined) throw new Error(`unknown option ${argv[index]}`);
    given[name] = argv[index + 1];
  }
  const execRoot = path.resolve(given['exec-root']);
  const dataRoot = path.resolve(given['data-root']);
  return {
    execRoot,
    dataRoot,
    hubListen: given['hub-listen'],
    hubDataRoot: `${dataRoot}-hub`,
    /** Beside the exec root, which goes with the engine. */
    stateDirectory: `${execRoot}-start`,
    socket: path.join(execRoot, 'slipway.sock'),
  };
}
