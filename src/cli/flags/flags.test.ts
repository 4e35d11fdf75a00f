import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wrapText } from '../help.ts';
import { containerRequest } from '../options/container-request.ts';
import { containerFlags } from './container-flags.ts';
import { flag } from './flag.ts';
import { parseFlags } from './parse-flags.ts';

const flags = [
  flag('a', 'all', 'bool', ''),
  flag('q', 'quiet', 'bool', ''),
  flag('n', 'last', 'int', ''),
  flag('f', 'filter', 'filter', ''),
];

test('parseFlags() takes every way of writing a flag', () => {
  const { values, args } = parseFlags(
    ['x', '-aqn5', '--filter=a=b', '-f', 'c=d', '--quiet=false', '--', '-z'],
    flags,
    'anywhere',
  );
  assert.deepEqual(args, ['x', '-z']);
  assert.equal(values.bool('all'), true);
  assert.equal(values.bool('quiet'), false);
  assert.equal(values.number('last'), 5);
  assert.deepEqual(values.list('filter'), ['a=b', 'c=d']);
});

test('parseFlags() leaves what follows the first argument alone where the command says so', () => {
  assert.deepEqual(parseFlags(['-a', 'image', '-q', '--foo'], flags, 'first').args, ['image', '-q', '--foo']);
});

const failures: readonly (readonly [readonly string[], string])[] = [
  [['--foo'], 'unknown flag: --foo'],
  [['-az'], "unknown shorthand flag: 'z' in -z"],
  [['-n'], "flag needs an argument: 'n' in -n"],
  [['--last'], 'flag needs an argument: --last'],
  [['-n', 'x'], 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'],
  [['--all=x'], 'invalid argument "x" for "-a, --all" flag: strconv.ParseBool: parsing "x": invalid syntax'],
  [['-f', 'x'], 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)'],
  [['--=x'], 'bad flag syntax: --=x'],
];

for (const [argv, message] of failures) {
  test(`parseFlags() refuses ${argv.join(' ')}`, () => {
    assert.throws(() => parseFlags(argv, flags, 'anywhere'), { name: 'FlagError', message });
  });
}

test('wrapText() breaks at blanks and lets the last line be a little longer', () => {
  assert.equal(wrapText('one two three four five six', 4, 30), 'one two three four\n    five six');
  assert.equal(
    wrapText('aaaa bbbb cccc dddd eeee ffff gggg hhhh', 2, 30),
    'aaaa bbbb cccc dddd\n  eeee ffff gggg hhhh',
  );
});

test('containerRequest() turns flags into what the API takes', () => {
  const argv = [
    '-it',
    '-p',
    '127.0.0.1:8080:80',
    '-p',
    '53/udp',
    '-v',
    '/a:/b',
    '-v',
    '/data',
    '-e',
    'A=1',
    '-e',
    'HOME',
    '-m',
    '64m',
    '--restart',
    'on-failure:3',
    '--network',
    'name=n1,alias=x',
    'busybox',
    'sh',
    '-c',
    'x',
  ];
  const { values, args } = parseFlags(argv, containerFlags, 'first');
  const { body, ...streams } = containerRequest(values, args, { HOME: '/root' });
  assert.deepEqual(streams, {
    image: 'busybox',
    tty: true,
    stdin: true,
    stdout: true,
    stderr: true,
    autoRemove: false,
  });
  assert.deepEqual(body['Cmd'], ['sh', '-c', 'x']);
  assert.deepEqual(body['Env'], ['A=1', 'HOME=/root']);
  assert.deepEqual(body['ExposedPorts'], { '80/tcp': {}, '53/udp': {} });
  assert.deepEqual(body['Volumes'], { '/data': {} });
  const host = body['HostConfig'] as Record<string, unknown>;
  assert.deepEqual(host['PortBindings'], {
    '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }],
    '53/udp': [{ HostIp: '', HostPort: '' }],
  });
  assert.deepEqual(host['Binds'], ['/a:/b']);
  assert.equal(host['Memory'], 64 << 20);
  assert.deepEqual(host['RestartPolicy'], { Name: 'on-failure', MaximumRetryCount: 3 });
  assert.equal(host['NetworkMode'], 'n1');
  assert.deepEqual(body['NetworkingConfig'], { EndpointsConfig: { n1: { Aliases: ['x'] } } });
});
