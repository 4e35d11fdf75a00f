/** For tests: an engine in a process of its own, to be killed. Connects to an exec root and runs requests from its standard input. */
import { createInterface } from 'node:readline';
import { silentLogger } from '../base/log.ts';
import { createProcessHost, findRuntimes } from './create-process-host.ts';
import type { RunRequest } from './process-host.ts';

const host = await createProcessHost({
  execRoot: process.argv[2] ?? '',
  runtimes: await findRuntimes(),
  log: silentLogger,
});
for await (const line of createInterface({ input: process.stdin })) {
  await host.run(JSON.parse(line) as RunRequest);
  console.log(await host.monitorPid());
}
