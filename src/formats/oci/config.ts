import { EngineError } from '../../base/errors.ts';
import { isJsonObject, stringMap, type JsonObject } from './descriptor.ts';
import { tryParseDigest, type Digest } from './digest.ts';
import { parseJsonObject } from './manifest.ts';
import { parsePlatform, type Platform } from './platform.ts';

/** A health check as images and containers carry it; durations in nanoseconds. */
export interface HealthcheckConfig {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** How to run an image by default (OCI image-spec, config.md; the capitals are the format's own, Docker's extensions included). */
export interface RunConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly StopTimeout?: number;
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[];
  readonly Healthcheck?: HealthcheckConfig;
  readonly ArgsEscaped?: boolean;
}

/** One step of an image's making. */
export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** An image configuration. `raw` is the whole document, unknown fields included. */
export interface ImageConfig {
  readonly platform: Platform;
  readonly created?: string;
  readonly author?: string;
  readonly config: RunConfig;
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
  readonly raw: JsonObject;
}

/** Configurations larger than this are refused. */
export const configLimitBytes: number = 8 << 20;

/**
 * Reads an image configuration.
 *
 * @throws {EngineError} invalidArgument when it is malformed; `subject` names it.
 */
export function parseImageConfig(content: Uint8Array, subject = 'image config'): ImageConfig {
  const raw = parseJsonObject(content, subject);
  const rootfs = raw['rootfs'];
  const listed: unknown = isJsonObject(rootfs) ? rootfs['diff_ids'] : undefined;
  if (!Array.isArray(listed) && listed !== undefined && listed !== null) {
    throw new EngineError('invalidArgument', `${subject}: rootfs.diff_ids is not a list`);
  }
  const diffIds = ((listed ?? []) as readonly unknown[]).map((item) => {
    const digest = typeof item === 'string' ? tryParseDigest(item) : undefined;
    if (digest === undefined)
      throw new EngineError('invalidArgument', `${subject}: invalid diff_id ${JSON.stringify(item)}`);
    return digest;
  });
  const history = Array.isArray(raw['history']) ? raw['history'].filter(isJsonObject).map(parseHistoryEntry) : [];
  return {
    platform: parsePlatform(raw),
    ...(typeof raw['created'] === 'string' ? { created: raw['created'] } : {}),
    ...(typeof raw['author'] === 'string' ? { author: raw['author'] } : {}),
    config: parseRunConfig(raw['config']),
    diffIds,
    history,
    raw,
  };
}

function parseHistoryEntry(entry: JsonObject): HistoryEntry {
  const text = (key: string): object => (typeof entry[key] === 'string' ? { [key]: entry[key] } : {});
  return {
    ...text('created'),
    ...text('created_by'),
    ...text('author'),
    ...text('comment'),
    ...(entry['empty_layer'] === true ? { empty_layer: true } : {}),
  };
}

/** Reads the run configuration of an image or of a create request; fields of a wrong type are left out. */
export function parseRunConfig(value: unknown): RunConfig {
  if (!isJsonObject(value)) return {};
  const text = (key: string): object =>
    typeof value[key] === 'string' && value[key] !== '' ? { [key]: value[key] } : {};
  const list = (key: string): object => (isStringList(value[key]) ? { [key]: value[key] } : {});
  const set = (key: string): object => {
    const field = value[key];
    return isJsonObject(field) ? { [key]: Object.fromEntries(Object.keys(field).map((name) => [name, {}])) } : {};
  };
  const labels = value['Labels'];
  const health = value['Healthcheck'];
  return {
    ...text('User'),
    ...set('ExposedPorts'),
    ...list('Env'),
    ...list('Entrypoint'),
    ...list('Cmd'),
    ...set('Volumes'),
    ...text('WorkingDir'),
    ...(isJsonObject(labels) ? { Labels: stringMap(labels) } : {}),
    ...text('StopSignal'),
    ...(typeof value['StopTimeout'] === 'number' ? { StopTimeout: value['StopTimeout'] } : {}),
    ...list('Shell'),
    ...list('OnBuild'),
    ...(isJsonObject(health) ? { Healthcheck: parseHealthcheck(health) } : {}),
    ...(value['ArgsEscaped'] === true ? { ArgsEscaped: true } : {}),
  };
}

function parseHealthcheck(value: JsonObject): HealthcheckConfig {
  const number = (key: string): object => (typeof value[key] === 'number' ? { [key]: value[key] } : {});
  return {
    ...(isStringList(value['Test']) ? { Test: value['Test'] } : {}),
    ...number('Interval'),
    ...number('Timeout'),
    ...number('StartPeriod'),
    ...number('StartInterval'),
    ...number('Retries'),
  };
}

function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
