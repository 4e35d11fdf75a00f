import assert from 'node:assert/strict';
import type http from 'node:http';
import { test } from 'node:test';
import { EngineError, type ErrorKind } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { collect } from '../base/streams.ts';
import { parseReference } from '../formats/oci/reference.ts';
import type { Source } from '../graph/graph.ts';
import { sampleImage } from '../graph/sample-image.ts';
import { registryEndpoint } from './hosts.ts';
import type { CredentialLookup } from './credentials.ts';
import { RegistryClient } from './registry-client.ts';
import { RegistryError } from './registry-error.ts';
import { Repository } from './repository.ts';
import { defaultPatience, RegistrySession } from './session.ts';
import { Transport } from './transport.ts';
import { startScriptedRegistry, type ScriptedAnswer, type SeenRequest } from './scripted-registry.ts';

const layerBytes = Buffer.from('layer '.repeat(40_000));
const image = sampleImage([layerBytes]);
const layer = image.layers[0] ?? assert.fail();
const patience = { retryDelayMs: 1, stallTimeoutMs: 150 };

function content(request: SeenRequest): ScriptedAnswer | undefined {
  const name = /\/(?:manifests|blobs)\/(.+)$/.exec(request.path)?.[1] ?? '';
  const digest = name === 'latest' ? image.root.digest : name;
  const bytes = [...image.contents].find(([key]) => key === digest)?.[1];
  if (!bytes) return undefined;
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const headers = {
    'content-type': digest === image.root.digest ? image.root.mediaType : 'application/octet-stream',
    'docker-content-digest': digest,
    'content-length': String(bytes.length - start),
    ...(start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
  };
  return { status: start > 0 ? 206 : 200, headers, body: bytes.subarray(start) };
}

async function withRepository(
  script: (request: SeenRequest, response: http.ServerResponse) => ScriptedAnswer | undefined,
  body: (repository: Repository, seen: readonly SeenRequest[], host: string) => Promise<void>,
  credentials?: CredentialLookup,
): Promise<void> {
  await using registry = await startScriptedRegistry(script);
  using client = new RegistryClient({ patience });
  await body(
    client.openRepository(parseReference(`${registry.host}/me/mine`), { credentials }),
    registry.seen,
    registry.host,
  );
}

async function read(source: Pick<Source, 'fetch'>, descriptor = layer): Promise<Buffer> {
  return collect(await source.fetch(descriptor), 1 << 20, 'content');
}

function failsWith(kind: ErrorKind, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof EngineError, String(error));
    assert.match(error.message, message);
    assert.equal(error.kind, kind);
    return true;
  };
}

test('Repository resolves by HEAD and fetches what it resolved', () =>
  withRepository(content, async (repository, seen) => {
    const root = await repository.resolve('latest');
    assert.deepEqual(root, image.root);
    assert.ok((await read(repository, root)).equals(image.contents.get(root.digest) ?? Buffer.alloc(0)));
    assert.ok((await read(repository)).equals(layerBytes));
    assert.deepEqual(
      seen.map((request) => request.method),
      ['HEAD', 'GET', 'GET'],
    );
    assert.match(String(seen[0]?.headers.accept), /oci\.image\.index.*manifest\.list/);
  }));

test('Repository.resolve() falls back to GET where HEAD tells no digest', () =>
  withRepository(
    (request) => (request.method === 'HEAD' ? { status: 405 } : content(request)),
    async (repository, seen) => {
      assert.deepEqual(await repository.resolve('latest'), image.root);
      await read(repository, image.root);
      assert.deepEqual(
        seen.map((request) => request.method),
        ['HEAD', 'GET'],
      );
    },
  ));

test('a token service is asked once; its token goes to the registry, the password to the service only', async () => {
  await using service = await startScriptedRegistry((request) =>
    request.headers.authorization === `Basic ${Buffer.from('u:p').toString('base64')}`
      ? { status: 200, body: JSON.stringify({ token: 'T', expires_in: 300 }) }
      : { status: 401 },
  );
  const challenge = `Bearer realm="http://${service.host}/token",service="svc",scope="repository:me/mine:pull"`;
  await withRepository(
    (request) =>
      request.headers.authorization === 'Bearer T'
        ? content(request)
        : { status: 401, headers: { 'www-authenticate': challenge } },
    async (repository, seen) => {
      await repository.resolve('latest');
      await read(repository);
      assert.equal(service.seen.length, 1);
      assert.match(service.seen[0]?.path ?? '', /service=svc&scope=repository%3Ame%2Fmine%3Apull&account=u/);
      for (const request of seen) assert.doesNotMatch(String(request.headers.authorization), /Basic/);
    },
    () => ({ kind: 'password', username: 'u', password: 'p' }),
  );
});

test('an identity token is spent by POST', async () => {
  await using service = await startScriptedRegistry((request) =>
    request.method === 'POST' && request.body.toString().includes('refresh_token=R')
      ? { status: 200, body: JSON.stringify({ access_token: 'T' }) }
      : { status: 400 },
  );
  await withRepository(
    (request) =>
      request.headers.authorization === 'Bearer T'
        ? content(request)
        : { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${service.host}/token"` } },
    async (repository) => void (await repository.resolve('latest')),
    () => ({ kind: 'identityToken', token: 'R' }),
  );
});

test('a registry that never stops asking for a token is refused in docker’s words', () =>
  withRepository(
    () => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }),
    async (repository, seen) => {
      await assert.rejects(
        repository.resolve('latest'),
        failsWith('unauthenticated', /pull access denied for .*me\/mine, repository does not exist/),
      );
      assert.ok(seen.length <= 4);
    },
    () => ({ kind: 'password', username: 'u', password: 'wrong' }),
  ));

test('a redirect to another host carries no credentials', async () => {
  await using other = await startScriptedRegistry((request) => content(request));
  await withRepository(
    (request) => {
      if (request.headers.authorization === undefined)
        return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
      return { status: 307, headers: { location: `http://${other.host}${request.path}` } };
    },
    async (repository) => {
      assert.ok((await read(repository)).equals(layerBytes));
      assert.equal(other.seen.length, 1);
      assert.equal(other.seen[0]?.headers.authorization, undefined);
    },
    () => ({ kind: 'password', username: 'u', password: 'p' }),
  );
});

test('a redirect without end, and one away from HTTP hosts that are trusted, are refused', async () => {
  await withRepository(
    (request) => ({ status: 302, headers: { location: request.path } }),
    (repository) => assert.rejects(read(repository), failsWith('unavailable', /too many redirects/)),
  );
  await withRepository(
    () => ({ status: 302, headers: { location: 'http://192.0.2.1/x' } }),
    (repository) => assert.rejects(read(repository), failsWith('unavailable', /redirect refused/)),
  );
});

test('429 and 503 are repeated, Retry-After is honoured, and patience ends', async () => {
  let refusals = 3;
  const started = performance.now();
  await withRepository(
    (request) =>
      --refusals >= 0
        ? { status: refusals === 1 ? 503 : 429, headers: refusals === 0 ? { 'retry-after': '1' } : {} }
        : content(request),
    async (repository) => void (await read(repository)),
  );
  assert.ok(performance.now() - started >= 990);
  await withRepository(
    () => ({ status: 429, body: JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] }) }),
    async (repository, seen) => {
      await assert.rejects(read(repository), failsWith('resourceExhausted', /^toomanyrequests: slow down$/));
      assert.equal(seen.length, 5);
    },
  );
});

test('a cut and a stalled blob go on where they were', async () => {
  let requests = 0;
  await withRepository(
    (request, response) => {
      if (request.path === '/v2/') return undefined;
      requests++;
      if (requests > 2) return content(request);
      const start = requests === 1 ? 0 : 100_000;
      const answer = content(request) ?? assert.fail();
      response.writeHead(answer.status, answer.headers);
      response.write(layerBytes.subarray(start, start + 100_000), () => {
        if (requests === 1) response.destroy();
      });
      return undefined;
    },
    async (repository, seen) => {
      assert.ok((await read(repository)).equals(layerBytes));
      assert.deepEqual(
        seen.map((request) => request.headers.range),
        [undefined, 'bytes=100000-', 'bytes=200000-'],
      );
    },
  );
});

test('a cut blob goes on at a registry that knows no ranges', async () => {
  let requests = 0;
  await withRepository(
    (request, response) => {
      if (request.path === '/v2/') return undefined;
      const whole = { ...request, headers: {} };
      if (++requests > 1) return content(whole);
      response.writeHead(200, { 'content-length': String(layerBytes.length) });
      response.write(layerBytes.subarray(0, 100_000), () => response.destroy());
      return undefined;
    },
    async (repository) => assert.ok((await read(repository)).equals(layerBytes)),
  );
});

test('a registry that stalls for good ends in a clear error', () =>
  withRepository(
    (request, response) => {
      if (request.path === '/v2/') return undefined;
      response.writeHead(200, { 'content-length': String(layerBytes.length) });
      response.write(layerBytes.subarray(0, 10));
      return undefined;
    },
    (repository) => assert.rejects(read(repository), failsWith('deadlineExceeded', /no data for 0.15 seconds/)),
  ));

test('wrong sizes are refused: announced, longer, shorter', async () => {
  await withRepository(
    () => ({ status: 200, headers: { 'content-length': '5' }, body: 'short' }),
    (repository) => assert.rejects(read(repository), failsWith('dataLoss', /unexpected size 5, expected 240000/)),
  );
  await withRepository(
    (request, response) => {
      if (request.path === '/v2/') return undefined;
      response.write(layerBytes);
      response.end('more');
      return undefined;
    },
    (repository) => assert.rejects(read(repository), failsWith('dataLoss', /unexpected size more than 240000/)),
  );
  await withRepository(
    (request, response) => {
      if (request.path === '/v2/') return undefined;
      if (request.headers.range) return { status: 416 };
      response.write(layerBytes.subarray(0, 1000));
      response.end();
      return undefined;
    },
    (repository) => assert.rejects(read(repository), failsWith('invalidArgument', /416/)),
  );
});

test('what is not there is told in docker’s words', () =>
  withRepository(
    (request) =>
      request.path === '/v2/'
        ? undefined
        : {
            status: 404,
            body: JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }),
          },
    (repository, _seen, host) =>
      assert.rejects(repository.resolve('nope'), (error) => {
        assert.ok(error instanceof RegistryError && error.kind === 'notFound' && error.status === 404);
        assert.equal(error.message, `manifest for ${host}/me/mine:nope not found: manifest unknown: manifest unknown`);
        return true;
      }),
  ));

test('a registry that is not there is told in docker’s words, without waiting', async () => {
  const registry = await startScriptedRegistry(() => undefined);
  await registry[Symbol.asyncDispose]();
  using client = new RegistryClient({ patience: { ...patience, retryDelayMs: 60_000 } });
  const repository = client.openRepository(parseReference(`${registry.host}/x`));
  const message = `Get "http://${registry.host}/v2/": dial tcp ${registry.host}: connect: connection refused`;
  await assert.rejects(repository.resolve('latest'), { message });
});

test('a mirror is read first; one that speaks HTTP must be loopback or listed', async () => {
  await using mirror = await startScriptedRegistry(content);
  using client = new RegistryClient({ patience, hosts: { mirrors: [`http://${mirror.host}`] } });
  const found = client.openRepository(parseReference('docker.io/me/mine'));
  assert.deepEqual(await found.resolve('latest'), image.root);
  assert.ok(mirror.seen.every((request) => request.path.startsWith('/v2/me/mine/')));
  assert.throws(
    () => new RegistryClient({ hosts: { mirrors: ['http://192.0.2.1'] } }).openRepository(parseReference('a')),
    failsWith('invalidArgument', /speaks HTTP/),
  );
});

test('what a mirror lacks is asked of the registry; the mirror’s refusal stands when that is out of reach', async () => {
  const unknown = {
    status: 404,
    body: JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }),
  };
  await using mirror = await startScriptedRegistry((request) => (request.path === '/v2/' ? undefined : unknown));
  await using registry = await startScriptedRegistry(content);
  using transport = new Transport({ stallTimeoutMs: 5000 });
  const session = (host: string): RegistrySession =>
    new RegistrySession({
      endpoint: registryEndpoint(host, {}),
      transport,
      patience: { ...defaultPatience, ...patience },
      hosts: {},
      credentials: async () => undefined,
    });
  const open = (): Repository => {
    const last = session(registry.host);
    const reference = parseReference('me/mine');
    return new Repository({ reference, sources: [session(mirror.host), last], registry: last, log: silentLogger });
  };
  const repository = open();
  assert.deepEqual(await repository.resolve('latest'), image.root);
  assert.ok((await read(repository)).equals(layerBytes));
  assert.ok(mirror.seen.every((request) => request.path.endsWith('/manifests/latest')));
  await registry[Symbol.asyncDispose]();
  await assert.rejects(open().resolve('latest'), failsWith('notFound', /^manifest for me\/mine:latest not found/));
});

test('an upload is one PUT; after a cut it goes on where the registry is', async () => {
  const got: Buffer[] = [];
  let cut = true;
  await withRepository(
    (request, response) => {
      const location = '/v2/me/mine/blobs/uploads/1?state=a%2Fb';
      if (request.method === 'POST') return { status: 202, headers: { location } };
      if (request.method === 'GET' && request.path.includes('uploads')) {
        return { status: 204, headers: { location, range: '0-99999' } };
      }
      if (request.method === 'PATCH') {
        assert.equal(request.headers['content-range'], `100000-${layerBytes.length - 1}`);
        got.push(layerBytes.subarray(0, 100_000), request.body);
        return { status: 202, headers: { location } };
      }
      if (request.method !== 'PUT') return undefined;
      assert.equal(request.path, `${location}&digest=${encodeURIComponent(layer.digest)}`);
      if (!cut) return { status: 201 };
      cut = false;
      response.destroy();
      return undefined;
    },
    async (repository) => {
      let sent = 0;
      const open = async (offset: number): Promise<AsyncIterable<Uint8Array>> => slices(layerBytes.subarray(offset));
      const outcome = await repository.push(layer, open, { onBytes: (total) => (sent = total) });
      assert.equal(outcome.kind, 'pushed');
      assert.ok(Buffer.concat(got).equals(layerBytes));
      assert.equal(sent, layerBytes.length);
    },
  );
});

async function* slices(bytes: Buffer): AsyncIterable<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 60_000) yield bytes.subarray(start, start + 60_000);
}
