import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { DockerConfig, dockerConfigPath } from './docker-config.ts';

async function withFile(content: unknown, body: (file: string, directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp('/var/tmp/slipway-config-');
  try {
    const file = path.join(directory, 'config.json');
    if (content !== undefined) await writeFile(file, JSON.stringify(content));
    await body(file, directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const auth = Buffer.from('me:pass:word').toString('base64');

test('DockerConfig.credentials() reads auth, identity and registry tokens, by host', () =>
  withFile(
    {
      auths: {
        'https://index.docker.io/v1/': { auth },
        'localhost:5000': { auth: Buffer.from('u:').toString('base64'), identitytoken: 'I' },
        'https://quay.io/v2/': { registrytoken: 'R' },
      },
    },
    async (file) => {
      const config = await DockerConfig.read(file);
      assert.deepEqual(await config.credentials('docker.io'), { username: 'me', password: 'pass:word' });
      assert.deepEqual(await config.credentials('localhost:5000'), { username: 'u', identityToken: 'I' });
      assert.deepEqual(await config.credentials('quay.io'), { registryToken: 'R' });
      assert.equal(await config.credentials('localhost:5001'), undefined);
      assert.equal((await config.allCredentials()).size, 3);
    },
  ));

test('DockerConfig asks the credential helper of the registry, else the store', () =>
  withFile({ credsStore: 'slipwaytest', credHelpers: { 'other.example': 'missing' } }, async (file, directory) => {
    const helper = path.join(directory, 'docker-credential-slipwaytest');
    await writeFile(
      helper,
      '#!/bin/sh\nread -r server\ncase $server in a.example) echo \'{"Username":"u","Secret":"s"}\';; b.example) echo \'{"Username":"<token>","Secret":"t"}\';; *) echo "credentials not found in native keychain"; exit 1;; esac\n',
    );
    await chmod(helper, 0o755);
    const before = process.env['PATH'];
    process.env['PATH'] = `${directory}:${before}`;
    try {
      const config = await DockerConfig.read(file);
      assert.deepEqual(await config.credentials('a.example'), { username: 'u', password: 's' });
      assert.deepEqual(await config.credentials('b.example'), { identityToken: 't' });
      assert.equal(await config.credentials('c.example'), undefined);
      await assert.rejects(config.credentials('other.example'), /docker-credential-missing.*executable file not found/);
    } finally {
      process.env['PATH'] = before;
    }
  }));

test('DockerConfig.store() and erase() keep the rest of the file, which nobody else may read', () =>
  withFile({ HttpHeaders: { a: 'b' } }, async (file) => {
    await (await DockerConfig.read(file)).store('docker.io', { username: 'me', password: 'pass:word' });
    const stored: unknown = JSON.parse(await readFile(file, 'utf8'));
    assert.deepEqual(stored, { HttpHeaders: { a: 'b' }, auths: { 'https://index.docker.io/v1/': { auth } } });
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const config = await DockerConfig.read(file);
    assert.equal(await config.erase('docker.io'), true);
    assert.equal(await (await DockerConfig.read(file)).credentials('docker.io'), undefined);
  }));

test('DockerConfig.read() takes a missing file as empty and refuses a broken one', () =>
  withFile(undefined, async (file) => {
    assert.equal(await (await DockerConfig.read(file)).credentials('docker.io'), undefined);
    await writeFile(file, '[]');
    await assert.rejects(DockerConfig.read(file), /not a JSON object/);
    assert.equal(dockerConfigPath({ DOCKER_CONFIG: '/x' }), '/x/config.json');
  }));
