import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInsecure, registryEndpoint, sourceEndpoints } from './hosts.ts';

test('isInsecure() holds for loopback, listed hosts and ranges only', () => {
  const config = { insecureRegistries: ['reg.example:5000', 'plain.example', '10.1.0.0/16'] };
  const cases: readonly (readonly [host: string, insecure: boolean])[] = [
    ['localhost', true],
    ['localhost:5000', true],
    ['127.8.9.1:1', true],
    ['[::1]:5000', true],
    ['reg.example:5000', true],
    ['reg.example', false],
    ['plain.example:81', true],
    ['10.1.255.3:5000', true],
    ['10.2.0.1', false],
    ['localhost.example', false],
    ['127.0.0.1.example', false],
  ];
  for (const [host, insecure] of cases) assert.equal(isInsecure(host, config), insecure, host);
});

test('registryEndpoint() tries TLS first and HTTP only where that is allowed', () => {
  const bases = (registry: string): string[] => registryEndpoint(registry, {}).bases.map(String);
  assert.deepEqual(bases('localhost:5000'), ['https://localhost:5000/', 'http://localhost:5000/']);
  assert.deepEqual(bases('example.org'), ['https://example.org/']);
  assert.deepEqual(bases('docker.io'), ['https://registry-1.docker.io/']);
});

test('sourceEndpoints() puts mirrors before docker.io only', () => {
  const config = { mirrors: ['http://127.0.0.1:5000', 'https://mirror.example/hub'] };
  const bases = (registry: string): string[] =>
    sourceEndpoints(registry, config).map((endpoint) => String(endpoint.bases[0]));
  assert.deepEqual(bases('docker.io'), [
    'http://127.0.0.1:5000/',
    'https://mirror.example/hub/',
    'https://registry-1.docker.io/',
  ]);
  assert.deepEqual(bases('quay.io'), ['https://quay.io/']);
});
