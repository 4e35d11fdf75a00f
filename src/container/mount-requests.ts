import path from 'node:path';
import { EngineError } from '../base/errors.ts';
import type { HostConfig, MountRequest } from '../formats/engine-api/host-config.ts';
import type { ContainerMount } from './record.ts';

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

/**
 * Returns the mounts that a HostConfig asks for: binds, `--mount` and `--tmpfs`. Volumes are not served yet.
 *
 * @throws {EngineError} invalidArgument in docker's words; notImplemented for volumes.
 */
export function requestedMounts(hostConfig: HostConfig): readonly ContainerMount[] {
  const mounts = [
    ...(hostConfig.Binds ?? []).map(parseBind),
    ...(hostConfig.Mounts ?? []).map(parseMount),
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(([destination, options]) =>
      tmpfsMount(cleanDestination(destination, destination), options.split(',').filter(Boolean)),
    ),
  ];
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) throw new EngineError('invalidArgument', `Duplicate mount point: ${destination}`);
    seen.add(destination);
  }
  return mounts;
}

function invalid(spec: string, why: string): never {
  throw new EngineError('invalidArgument', `invalid volume specification: '${spec}'${why === '' ? '' : `: ${why}`}`);
}

function parseBind(spec: string): ContainerMount {
  const [source = '', destination, mode = '', ...more] = spec.split(':');
  if (destination === undefined || destination === '' || more.length > 0 || source === '') return invalid(spec, '');
  if (!path.isAbsolute(source)) return refuseVolume(source);
  let readOnly = false;
  let propagation = 'rprivate';
  for (const option of mode.split(',').filter(Boolean)) {
    if (option === 'ro') readOnly = true;
    else if (propagations.includes(option)) propagation = option;
    else if (!['rw', 'z', 'Z', 'consistent', 'cached', 'delegated'].includes(option)) {
      throw new EngineError('invalidArgument', `invalid mode: ${mode}`);
    }
  }
  const cleaned = cleanDestination(destination, spec);
  return {
    type: 'bind',
    source: path.normalize(source),
    destination: cleaned,
    readOnly,
    mode,
    propagation,
    options: [],
  };
}

function refuseVolume(name: string): never {
  throw new EngineError('notImplemented', `volume ${JSON.stringify(name)}: volumes are not served by this engine yet`);
}

function cleanDestination(destination: string, spec: string): string {
  if (!path.isAbsolute(destination)) {
    throw new EngineError(
      'invalidArgument',
      `invalid volume specification: '${spec}': invalid mount path: '${destination}' mount path must be absolute`,
    );
  }
  const cleaned = path.normalize(destination).replace(/(?!^)\/+$/, '');
  return cleaned === '/'
    ? invalid(spec, `invalid mount config for type "bind": invalid specification: destination can't be '/'`)
    : cleaned;
}

function parseMount(request: MountRequest): ContainerMount {
  const fail = (what: string): never => {
    throw new EngineError('invalidArgument', `invalid mount config for type "${request.Type}": ${what}`);
  };
  if (request.Target === '') return fail('field Target must not be empty');
  if (!path.isAbsolute(request.Target))
    return fail(`invalid mount path: '${request.Target}' mount path must be absolute`);
  const destination = cleanDestination(request.Target, request.Target);
  switch (request.Type) {
    case 'bind': {
      if (request.Source === '') return fail('field Source must not be empty');
      if (!path.isAbsolute(request.Source))
        return fail(`invalid mount path: '${request.Source}' mount path must be absolute`);
      const wanted = request.BindOptions['Propagation'];
      const propagation = typeof wanted === 'string' && wanted !== '' ? wanted : 'rprivate';
      if (!propagations.includes(propagation)) return fail(`invalid propagation mode: ${propagation}`);
      return {
        type: 'bind',
        source: path.normalize(request.Source),
        destination,
        readOnly: request.ReadOnly,
        mode: '',
        propagation,
        options: [],
      };
    }
    case 'tmpfs': {
      if (request.Source !== '') return fail('field Source must not be specified');
      const size = request.TmpfsOptions['SizeBytes'];
      const mode = request.TmpfsOptions['Mode'];
      const options = [
        ...(typeof size === 'number' && size > 0 ? [`size=${size}`] : []),
        ...(typeof mode === 'number' ? [`mode=${mode.toString(8)}`] : []),
        ...(request.ReadOnly ? ['ro'] : []),
      ];
      return tmpfsMount(destination, options);
    }
    case 'volume':
      return refuseVolume(request.Source);
    default:
      return fail('mount type unknown');
  }
}

function tmpfsMount(destination: string, options: readonly string[]): ContainerMount {
  return {
    type: 'tmpfs',
    source: '',
    destination,
    readOnly: options.includes('ro'),
    mode: '',
    propagation: '',
    options,
  };
}
