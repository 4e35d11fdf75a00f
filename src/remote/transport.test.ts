import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { ConnectionError } from './connection-error.ts';
import { startScriptedRegistry } from './scripted-registry.ts';
import { Transport } from './transport.ts';

test('Transport.send() says that TLS met a plain server', async () => {
  await using registry = await startScriptedRegistry(() => ({ status: 200 }));
  using transport = new Transport({ stallTimeoutMs: 5000 });
  const url = new URL(`https://user:secret@${registry.host}/v2/?token=secret`);
  await assert.rejects(transport.send({ method: 'GET', url, headers: {}, verifyTls: true }), (error) => {
    assert.ok(error instanceof ConnectionError && error.reason === 'plain');
    assert.equal(error.message, `Get "https://${registry.host}/v2/": http: server gave HTTP response to HTTPS client`);
    return true;
  });
});

test('Transport.send() returns an early refusal instead of sending the rest of a body', async () => {
  using transport = new Transport({ stallTimeoutMs: 5000 });
  const refusing = createServer((request, response) => {
    response.writeHead(413, { connection: 'close' }).end();
    request.resume();
  });
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  try {
    const address = refusing.address();
    assert.ok(typeof address === 'object' && address);
    let sent = 0;
    const endless = async function* (): AsyncIterable<Uint8Array> {
      for (; sent < 1e9; sent += 65_536) yield Buffer.alloc(65_536);
    };
    const response = await transport.send({
      method: 'PUT',
      url: new URL(`http://127.0.0.1:${address.port}/`),
      headers: {},
      verifyTls: true,
      body: { sizeBytes: 1e9, open: async () => endless() },
    });
    assert.equal(response.status, 413);
    response.discard();
    assert.ok(sent < 1e8, String(sent));
  } finally {
    refusing.closeAllConnections();
    await new Promise((resolve) => refusing.close(resolve));
  }
});
