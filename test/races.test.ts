/** Verbs against each other on one name: every answer is one of docker's, and nothing is left over. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { withoutDocker } from './harness/docker.ts';
import { openWorld, type World } from './harness/world.ts';

/** `npm run soak` asks for a thousand. */
const rounds = Number(process.env['SLIPWAY_TEST_ROUNDS'] ?? 25);
const clients = 8;
const allowed = [200, 201, 204, 304, 404, 409];

describe('races', { skip: withoutDocker ?? false }, () => {
  let world: World;
  before(async () => {
    world = await openWorld({ images: ['busybox', 'hello-world'] });
    await world.docker.run('pull', '-q', 'busybox');
  });
  after(() => world[Symbol.asyncDispose]());

  const ask = async (method: string, path: string, body?: object): Promise<void> => {
    const answer = await world.request(method, path, body ? { body } : {});
    assert.ok(allowed.includes(answer.status), `${method} ${path}: ${answer.status} ${answer.body}`);
    const broken = /"error":"([^"]*)"/.exec(answer.body)?.[1] ?? '';
    assert.ok(broken === '' || /not found|No such image/.test(broken), `${method} ${path}: ${broken}`);
  };
  const mounts = (): number =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(world.engine.settings.execRoot)).length;

  test(`start against rm -f, ${clients} clients, ${rounds} rounds`, { timeout: 60_000 + rounds * 5000 }, async () => {
    const before = mounts();
    for (let round = 0; round < rounds; round++) {
      await Promise.all(
        Array.from({ length: clients }, async (_, client) => {
          // Two clients share a name.
          const name = `race-${round}-${client >> 1}`;
          await ask('POST', `/containers/create?name=${name}`, { Image: 'busybox', Cmd: ['sleep', '100'] });
          await Promise.all([
            ask('POST', `/containers/${name}/start`),
            ask('POST', `/containers/${name}/kill`),
            ask('DELETE', `/containers/${name}?force=1`),
          ]);
          await ask('DELETE', `/containers/${name}?force=1`);
        }),
      );
    }
    assert.equal(await world.docker.run('ps', '-aq'), '');
    assert.ok(mounts() <= before + 2, `${mounts()} mounts, ${before} before`);
  });

  test(`pull against rmi, ${clients} clients, ${rounds} rounds`, { timeout: 60_000 + rounds * 5000 }, async () => {
    for (let round = 0; round < rounds; round++) {
      await Promise.all(
        Array.from({ length: clients }, (_, client) =>
          client % 2 === 0
            ? ask('POST', '/images/create?fromImage=hello-world&tag=latest')
            : ask('DELETE', '/images/hello-world?force=1'),
        ),
      );
    }
    await ask('POST', '/images/create?fromImage=hello-world&tag=latest');
    assert.match(await world.docker.run('run', '--rm', 'hello-world'), /Hello from Slipway/);
  });

  test(`create against rmi -f, ${clients} clients, ${rounds} rounds`, { timeout: 60_000 + rounds * 5000 }, async () => {
    for (let round = 0; round < rounds; round++) {
      await ask('POST', '/images/create?fromImage=hello-world&tag=latest');
      await Promise.all(
        Array.from({ length: clients }, async (_, client) => {
          if (client === 0) return ask('DELETE', '/images/hello-world?force=1');
          const name = `made-${round}-${client}`;
          await ask('POST', `/containers/create?name=${name}`, { Image: 'hello-world' });
          await ask('POST', `/containers/${name}/start`);
          await ask('DELETE', `/containers/${name}?force=1`);
        }),
      );
    }
    assert.equal(await world.docker.run('ps', '-aq'), '');
  });
});
