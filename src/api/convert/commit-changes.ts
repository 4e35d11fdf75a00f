import { EngineError } from '../../base/errors.ts';
import type { RunConfig } from '../../formats/oci/config.ts';

/**
 * Applies `docker commit --change` lines, each one Dockerfile instruction that concerns the configuration only.
 *
 * @throws {EngineError} invalidArgument for an instruction that is unknown or not allowed there.
 */
export function applyChanges(config: RunConfig, changes: readonly string[]): RunConfig {
  return changes
    .map((line) => line.trim())
    .filter(Boolean)
    .reduce(applyChange, config);
}

function applyChange(config: RunConfig, line: string): RunConfig {
  const [, word = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
  const instruction = word.toUpperCase();
  if (rest === '') throw new EngineError('invalidArgument', `${instruction} requires at least one argument`);
  switch (instruction) {
    case 'CMD':
      return { ...config, Cmd: commandOf(rest) };
    case 'ENTRYPOINT':
      return { ...config, Entrypoint: commandOf(rest) };
    case 'ENV': {
      const added = pairsOf(rest, instruction);
      const kept = (config.Env ?? []).filter((variable) => !added.some(([name]) => variable.startsWith(`${name}=`)));
      return { ...config, Env: [...kept, ...added.map(([name, value]) => `${name}=${value}`)] };
    }
    case 'LABEL':
      return { ...config, Labels: { ...config.Labels, ...Object.fromEntries(pairsOf(rest, instruction)) } };
    case 'EXPOSE':
      return { ...config, ExposedPorts: { ...config.ExposedPorts, ...keys(wordsOf(rest).map(exposedPort)) } };
    case 'VOLUME':
      return { ...config, Volumes: { ...config.Volumes, ...keys(jsonWords(rest) ?? wordsOf(rest)) } };
    case 'USER':
      return { ...config, User: rest };
    case 'WORKDIR':
      return {
        ...config,
        WorkingDir: rest.startsWith('/') ? rest : `${config.WorkingDir ?? ''}/${rest}`.replaceAll('//', '/'),
      };
    case 'STOPSIGNAL':
      return { ...config, StopSignal: rest };
    case 'ONBUILD':
      return { ...config, OnBuild: [...(config.OnBuild ?? []), rest] };
    default:
      throw new EngineError('invalidArgument', `${instruction} is not a valid change command`);
  }
}

/** The exec form is a JSON list; everything else goes to the shell. */
function commandOf(text: string): readonly string[] {
  return jsonWords(text) ?? ['/bin/sh', '-c', text];
}

function jsonWords(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    // Not JSON: the shell form, as in a Dockerfile.
    return undefined;
  }
}

/** Splits at blanks outside of quotes, and takes the quotes away. */
function wordsOf(text: string): readonly string[] {
  return (text.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g) ?? []).map((word) =>
    word.replaceAll(
      /"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g,
      (_whole, double?: string, single?: string, escaped?: string) =>
        double === undefined ? (single ?? escaped ?? '') : double.replaceAll(/\\(["\\$])/g, '$1'),
    ),
  );
}

/** `name=value …`, or the old form `name value`. */
function pairsOf(text: string, instruction: string): readonly (readonly [string, string])[] {
  const words = wordsOf(text);
  if (!words[0]?.includes('=')) {
    const [, name = '', value] = /^(\S+)\s+(.*)$/s.exec(text) ?? [];
    if (value === undefined) throw new EngineError('invalidArgument', `${instruction} must have two arguments`);
    return [[name, value]];
  }
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at < 1)
      throw new EngineError('invalidArgument', `${instruction}: syntax error, can't find = in ${JSON.stringify(word)}`);
    return [word.slice(0, at), word.slice(at + 1)] as const;
  });
}

function exposedPort(text: string): string {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text);
  if (!match || Number(match[1]) > 65535) throw new EngineError('invalidArgument', `invalid containerPort: ${text}`);
  return `${match[1] ?? ''}/${match[2]?.toLowerCase() ?? 'tcp'}`;
}

function keys(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
