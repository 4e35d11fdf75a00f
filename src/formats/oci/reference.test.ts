import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../../base/errors.ts';
import { formatFamiliar, formatReference, parseReference, withDefaultTag } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}`;

const sound: readonly (readonly [text: string, canonical: string, familiar: string])[] = [
  ['busybox', 'docker.io/library/busybox', 'busybox'],
  ['busybox:1.37', 'docker.io/library/busybox:1.37', 'busybox:1.37'],
  ['library/busybox', 'docker.io/library/busybox', 'busybox'],
  ['docker.io/busybox', 'docker.io/library/busybox', 'busybox'],
  ['index.docker.io/library/busybox', 'docker.io/library/busybox', 'busybox'],
  ['me/mine', 'docker.io/me/mine', 'me/mine'],
  ['docker.io/library/a/b', 'docker.io/library/a/b', 'library/a/b'],
  ['localhost/me', 'localhost/me', 'localhost/me'],
  ['localhost:5000/me/mine:1', 'localhost:5000/me/mine:1', 'localhost:5000/me/mine:1'],
  ['Host/me', 'Host/me', 'Host/me'],
  ['[::1]:5000/x', '[::1]:5000/x', '[::1]:5000/x'],
  ['docker.elastic.co/elasticsearch/elasticsearch:6.3.2', 'docker.elastic.co/elasticsearch/elasticsearch:6.3.2', ''],
  [`a@${digest}`, `docker.io/library/a@${digest}`, `a@${digest}`],
  [`a:t@${digest}`, `docker.io/library/a:t@${digest}`, `a:t@${digest}`],
  ['a--b__c/e_f.g', 'docker.io/a--b__c/e_f.g', 'a--b__c/e_f.g'],
  [`a:${'t'.repeat(128)}`, `docker.io/library/a:${'t'.repeat(128)}`, `a:${'t'.repeat(128)}`],
];

test('parseReference() normalises as docker does, and both forms read back the same', () => {
  for (const [text, canonical, familiar] of sound) {
    const reference = parseReference(text);
    assert.equal(formatReference(reference), canonical, text);
    assert.equal(formatFamiliar(reference), familiar || canonical, text);
    assert.deepEqual(parseReference(formatReference(reference)), reference);
    assert.deepEqual(parseReference(formatFamiliar(reference)), reference);
  }
});

test('withDefaultTag() adds latest only where nothing is said', () => {
  assert.equal(withDefaultTag(parseReference('a')).tag, 'latest');
  assert.equal(withDefaultTag(parseReference('a:b')).tag, 'b');
  assert.equal(withDefaultTag(parseReference(`a@${digest}`)).tag, undefined);
});

const malformed: readonly (readonly [text: string, message: string])[] = [
  ['', 'invalid reference format'],
  [':tag', 'invalid reference format'],
  ['a:', 'invalid reference format'],
  ['a//b', 'invalid reference format'],
  ['../x', 'invalid reference format'],
  ['a:b:c', 'invalid reference format'],
  ['a@sha256:abc', 'invalid reference format'],
  ['a\0', 'invalid reference format'],
  ['a___b', 'invalid reference format'],
  ['-a', 'invalid reference format'],
  [`a:${'t'.repeat(129)}`, 'invalid reference format'],
  ['a/b ', 'invalid reference format'],
  ['Foo', 'invalid reference format: repository name (library/Foo) must be lowercase'],
  ['me/Foo:x', 'invalid reference format: repository name (me/Foo) must be lowercase'],
  ['f'.repeat(64), `invalid repository name (${'f'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
  [`x/${'a'.repeat(300)}`, 'invalid reference format: repository name must not be more than 255 characters'],
];

test('parseReference() refuses malformed names with docker’s texts', () => {
  for (const [text, message] of malformed) {
    assert.throws(
      () => parseReference(text),
      (error) => {
        assert.ok(error instanceof EngineError);
        assert.equal(error.kind, 'invalidArgument');
        assert.equal(error.message, message, JSON.stringify(text));
        return true;
      },
    );
  }
});
