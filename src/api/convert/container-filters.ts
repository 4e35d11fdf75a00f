import { EngineError } from '../../base/errors.ts';
import type { ContainerInstance } from '../../container/instance.ts';
import { isRunning } from '../../container/lifecycle.ts';
import type { ContainerRecord } from '../../container/record.ts';
import type { ContainerRegistry } from '../../container/registry.ts';
import type { ImageStore } from '../../image/records.ts';
import type { Filters } from '../route.ts';
import { booleanOf } from './image-filters.ts';

/** The filters of `docker ps`. */
export const containerFilters: readonly string[] = [
  'ancestor',
  'before',
  'expose',
  'exited',
  'health',
  'id',
  'is-task',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const healths = ['none', 'starting', 'healthy', 'unhealthy'];

/**
 * Returns the containers that a list asks for, newest first: running ones only, unless `all`, `limit` or a filter on the state
 * says otherwise.
 *
 * @throws {EngineError} invalidArgument in docker's words, notFound for an unknown `before` or `since`.
 */
export function selectContainers(
  registry: ContainerRegistry,
  images: ImageStore,
  filters: Filters,
  options: { readonly all: boolean; readonly limit: number },
): readonly ContainerInstance[] {
  const tests = [...filters].map(([name, values]) => testOf(registry, images, name, values));
  const anyState = options.all || options.limit > 0 || filters.has('status') || filters.has('exited');
  const chosen = registry
    .list()
    .filter(({ record }) => (anyState || isRunning(record.state)) && tests.every((test) => test(record)));
  return options.limit > 0 ? chosen.slice(0, options.limit) : chosen;
}

type Test = (record: ContainerRecord) => boolean;

function testOf(registry: ContainerRegistry, images: ImageStore, name: string, values: readonly string[]): Test {
  switch (name) {
    case 'id':
      return ({ id }) => values.some((value) => id.startsWith(value));
    case 'name': {
      const patterns = values.map((value) => new RegExp(escapeUnlessPattern(value)));
      return (record) => patterns.some((pattern) => pattern.test(record.name) || pattern.test(`/${record.name}`));
    }
    case 'label':
      return ({ config }) => values.every((value) => hasLabel(config.Labels, value));
    case 'status': {
      const wrong = values.find((value) => !statuses.includes(value));
      if (wrong !== undefined)
        throw new EngineError(
          'invalidArgument',
          `invalid filter 'status=${wrong}': invalid value for state (${wrong}): must be one of ${statuses.join(', ')}`,
        );
      return ({ state }) => values.includes(state.status);
    }
    case 'exited': {
      const wrong = values.find((value) => !/^[+-]?\d{1,15}$/.test(value));
      if (wrong !== undefined)
        throw new EngineError(
          'invalidArgument',
          `invalid filter 'exited=${wrong}': strconv.Atoi: parsing ${JSON.stringify(wrong)}: invalid syntax`,
        );
      const codes = values.map(Number);
      return ({ state }) => state.status === 'exited' && codes.includes(state.exitCode);
    }
    case 'ancestor': {
      const digests = new Set(values.flatMap((value) => ancestorDigests(images, value)));
      return (record) => digests.has(record.imageDigest) || values.includes(record.config.Image);
    }
    case 'before': {
      const created = values.map((value) => registry.get(value).record.created);
      return (record) => created.every((limit) => record.created < limit);
    }
    case 'since': {
      const created = values.map((value) => registry.get(value).record.created);
      return (record) => created.every((limit) => record.created > limit);
    }
    case 'network':
      return ({ hostConfig, network }) =>
        values.some(
          (value) => hostConfig.NetworkMode === value || (network?.endpoint?.networkId.startsWith(value) ?? false),
        );
    case 'volume':
      return ({ mounts }) =>
        mounts.some(({ source, destination }) => values.includes(source) || values.includes(destination));
    case 'publish':
      return ({ network }) =>
        (network?.ports ?? []).some((port) => values.some((value) => matchesPort(value, port.hostPort, port.protocol)));
    case 'expose':
      return ({ config }) =>
        Object.keys(config.ExposedPorts ?? {}).some((port) => {
          const [number = '', protocol = 'tcp'] = port.split('/');
          return values.some((value) => matchesPort(value, Number(number), protocol));
        });
    case 'health': {
      const wrong = values.find((value) => !healths.includes(value));
      if (wrong !== undefined)
        throw new EngineError(
          'invalidArgument',
          `invalid filter 'health=${wrong}': invalid value for health (${wrong}): must be one of ${healths.join(', ')}`,
        );
      return () => values.includes('none');
    }
    default: {
      // Tasks belong to a swarm; no container here does.
      const wanted = booleanOf(name, values);
      return () => !wanted;
    }
  }
}

/** Names are matched as regular expressions, as docker does; what is none is taken literally. */
function escapeUnlessPattern(value: string): string {
  try {
    return new RegExp(value).source;
  } catch {
    return RegExp.escape(value);
  }
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=');
  return at < 0 ? Object.hasOwn(labels, wanted) : labels[wanted.slice(0, at)] === wanted.slice(at + 1);
}

function ancestorDigests(images: ImageStore, text: string): readonly string[] {
  try {
    return [images.resolve(text).image.descriptor.digest];
  } catch (error) {
    // An image that is gone has no name to look up; containers made of it still carry what was typed.
    if (error instanceof EngineError && error.kind === 'notFound') return [];
    throw error;
  }
}

function matchesPort(wanted: string, port: number, protocol: string): boolean {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/.exec(wanted);
  if (!match) throw new EngineError('invalidArgument', `invalid port filter ${JSON.stringify(wanted)}`);
  const [, first, last = first, wantedProtocol = 'tcp'] = match;
  return port >= Number(first) && port <= Number(last) && protocol === wantedProtocol;
}
