/**
 * The monitor process: `node main.ts SETUP`, started by the engine with descriptor 1 on a pipe that gets a byte once it
 * listens. Holds the stdio of all containers and execs, writes their logs, knows their ends; outlives the engine.
 */
import { mkdirSync, writeSync } from 'node:fs';
import path from 'node:path';
import { closeDescriptor, closeInheritedOnExec } from '../../host/descriptor.ts';
import { DescriptorWatch } from '../../host/poll.ts';
import { becomeSubreaper } from '../../host/prctl.ts';
import { acceptConnection, listenAt, peerCredentials } from '../../host/unix-socket.ts';
import type { RuntimeSetup } from '../oci-runtime.ts';
import { Monitor } from './monitor.ts';

const setup = JSON.parse(process.argv[2] ?? '') as RuntimeSetup;
process.title = 'slipway-monitor';
closeInheritedOnExec();
becomeSubreaper();
mkdirSync(path.join(setup.execRoot, 'monitor'), { recursive: true, mode: 0o700 });
const monitor = new Monitor(setup);
const listener = listenAt(path.join(setup.execRoot, 'monitor.sock'), 'seqpacket');
new DescriptorWatch(listener, { readable: true }, () => {
  const connection = acceptConnection(listener);
  if (connection === undefined) return;
  if (peerCredentials(connection).uid === process.getuid?.()) monitor.connect(connection);
  else closeDescriptor(connection);
});
writeSync(1, '1');
