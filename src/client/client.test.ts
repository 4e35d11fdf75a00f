import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { parseEndpoint } from './endpoint.ts';
import { EngineClient } from './engine-client.ts';
import { demultiplex } from './multiplex.ts';

/** An engine that answers each connection with a text, after the head of its request has come. */
async function scripted(
  answer: (socket: Socket, head: string) => void,
): Promise<AsyncDisposable & { client: EngineClient }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.once('data', (head: Buffer) => answer(socket, head.toString()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    client: new EngineClient(parseEndpoint(`tcp://127.0.0.1:${port}`), { apiVersion: '1.51' }),
    [Symbol.asyncDispose]: async () => void (await new Promise((resolve) => server.close(resolve))),
  };
}

test('parseEndpoint() reads unix and tcp addresses, and refuses others in docker’s words', () => {
  assert.deepEqual(parseEndpoint('unix:///run/a.sock'), {
    kind: 'unix',
    address: 'unix:///run/a.sock',
    path: '/run/a.sock',
  });
  assert.deepEqual(parseEndpoint('tcp://[::1]:99'), { kind: 'tcp', address: 'tcp://[::1]:99', host: '::1', port: 99 });
  assert.throws(() => parseEndpoint('foo://bar'), {
    message: 'unable to resolve docker endpoint: invalid bind address format: foo://bar',
  });
});

test('EngineClient reads chunked JSON, whole numbers exactly, and says what is asked', async () => {
  const heads: string[] = [];
  await using engine = await scripted((socket, head) => {
    heads.push(head);
    const body = '{"timeNano":1795472119918996545}\n';
    socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${body.slice(0, 5)}\r\n`);
    socket.end(`${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`);
  });
  const events = await Array.fromAsync(
    engine.client.stream('GET', '/events', { query: { since: 1, until: undefined } }),
  );
  assert.deepEqual(events, [{ timeNano: 1795472119918996545n }]);
  assert.match(heads[0] ?? '', /^GET \/v1\.51\/events\?since=1 HTTP\/1\.1\r\n/);
});

test('EngineClient throws the engine’s words', async () => {
  await using engine = await scripted((socket) => {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 32\r\n\r\n{"message":"No such container"}\n');
  });
  await assert.rejects(engine.client.json('GET', '/x'), {
    message: 'Error response from daemon: No such container',
    kind: 'notFound',
    status: 404,
  });
});

test('hijack() closes input and output on their own', async () => {
  await using engine = await scripted((socket) => {
    socket.write('HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n');
    const received: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => received.push(bytes));
    socket.on('end', () => socket.end(`after the end: ${Buffer.concat(received).toString()}`));
  });
  using stream = await engine.client.hijack('/containers/x/attach');
  stream.input.end('input');
  const output = await Array.fromAsync(stream.output);
  assert.equal(Buffer.concat(output).toString(), 'after the end: input');
});

test('demultiplex() takes frames apart wherever they are cut', async () => {
  const frame = (kind: number, text: string): Buffer => {
    const header = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32BE(text.length, 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  const bytes = Buffer.concat([frame(1, 'out'), frame(2, ''), frame(2, 'error')]);
  for (let size = 1; size <= bytes.length; size++) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    const texts = { stdout: '', stderr: '' };
    for await (const { stream, bytes: part } of demultiplex(piecewise(pieces))) texts[stream] += part.toString();
    assert.deepEqual(texts, { stdout: 'out', stderr: 'error' });
  }
  await assert.rejects(
    Array.fromAsync(demultiplex(piecewise([frame(3, 'broken')]))),
    /error from daemon in stream: broken/,
  );
});

async function* piecewise(pieces: readonly Buffer[]): AsyncGenerator<Buffer, void, void> {
  yield* pieces;
}
