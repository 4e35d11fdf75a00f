import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatChallenge, parseChallenges } from './www-authenticate.ts';

test('parseChallenges() reads quoted values with commas, several challenges and bare schemes', () => {
  const header =
    'Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push", Basic realm="x\\"y", Negotiate';
  const [bearer, basic, negotiate, ...rest] = parseChallenges(header);
  assert.equal(bearer?.scheme, 'bearer');
  assert.equal(bearer.parameters.get('scope'), 'repository:a/b:pull,push');
  assert.equal(bearer.parameters.get('realm'), 'https://auth.example/token');
  assert.equal(basic?.parameters.get('realm'), 'x"y');
  assert.equal(negotiate?.scheme, 'negotiate');
  assert.equal(rest.length, 0);
});

test('formatChallenge() is read back by parseChallenges()', () => {
  const [challenge] = parseChallenges(formatChallenge('Bearer', { realm: 'a"b\\c', service: 's' }));
  assert.deepEqual(
    [...(challenge?.parameters ?? [])],
    [
      ['realm', 'a"b\\c'],
      ['service', 's'],
    ],
  );
});

test('parseChallenges() ends on garbage', () => {
  assert.deepEqual(parseChallenges('"""'), []);
  assert.equal(parseChallenges('Bearer realm=').length, 1);
});
