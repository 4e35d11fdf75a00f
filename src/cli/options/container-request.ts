import { CommandError } from '../command-error.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { readEnvironment, readLabels } from './environment.ts';
import { parseHealth } from './health.ts';
import { hostConfigOf } from './host-config.ts';
import { parseVolumes } from './mounts.ts';
import { parseNetworks } from './networks.ts';
import { parsePorts } from './ports.ts';

/** What a container is to be made of, as `POST /containers/create` takes it, and which streams are to be attached. */
export interface ContainerRequest {
  readonly body: Readonly<Record<string, unknown>>;
  readonly image: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly autoRemove: boolean;
}

/**
 * Turns the flags and arguments of `run` and `create` into a request.
 *
 * @throws {CommandError} for flags that make no sense, in docker's words.
 */
export function containerRequest(
  flags: FlagValues,
  [image = '', ...command]: readonly string[],
  own: NodeJS.ProcessEnv,
): ContainerRequest {
  const streams = attachedStreams(flags);
  const mac = flags.string('mac-address');
  if (mac !== '' && !isMac(mac)) throw new CommandError(`${mac} is not a valid mac address`);
  const { binds, volumes } = parseVolumes(flags.list('volume'));
  const ports = parsePorts(flags.list('publish'), flags.list('expose'));
  const networks = parseNetworks(flags);
  const entrypoint = entrypointOf(flags);
  const health = parseHealth(flags);
  const timeout = flags.number('stop-timeout');
  const openStdin = flags.bool('interactive');
  const body = {
    Hostname: flags.string('hostname'),
    Domainname: flags.string('domainname'),
    User: flags.string('user'),
    AttachStdin: streams.stdin,
    AttachStdout: streams.stdout,
    AttachStderr: streams.stderr,
    Tty: flags.bool('tty'),
    OpenStdin: openStdin,
    StdinOnce: openStdin && streams.stdin,
    Env: readEnvironment(flags.list('env-file'), flags.list('env'), own),
    Cmd: command.length === 0 ? null : command,
    ...(health === undefined ? {} : { Healthcheck: health }),
    Image: image,
    Volumes: volumes,
    WorkingDir: flags.string('workdir'),
    Entrypoint: entrypoint,
    Labels: readLabels(flags.list('label-file'), flags.list('label')),
    ...(Object.keys(ports.exposed).length === 0 ? {} : { ExposedPorts: ports.exposed }),
    ...(flags.has('stop-signal') ? { StopSignal: flags.string('stop-signal') } : {}),
    ...(timeout === undefined ? {} : { StopTimeout: timeout }),
    HostConfig: hostConfigOf(flags, { binds, bindings: ports.bindings, networkMode: networks.mode }),
    NetworkingConfig: { EndpointsConfig: networks.endpoints },
  };
  return { body, image, tty: flags.bool('tty'), ...streams, autoRemove: flags.bool('rm') };
}

function attachedStreams(flags: FlagValues): { stdin: boolean; stdout: boolean; stderr: boolean } {
  const attach = flags.list('attach').map((stream) => stream.toLowerCase());
  if (attach.length === 0) return { stdin: flags.bool('interactive'), stdout: true, stderr: true };
  return { stdin: attach.includes('stdin'), stdout: attach.includes('stdout'), stderr: attach.includes('stderr') };
}

/** An empty `--entrypoint` takes away the image's. */
function entrypointOf(flags: FlagValues): readonly string[] | null {
  const entrypoint = flags.string('entrypoint');
  if (entrypoint !== '') return [entrypoint];
  return flags.has('entrypoint') ? [''] : null;
}

function isMac(text: string): boolean {
  return /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(text) || /^([0-9a-f]{4}\.){2}[0-9a-f]{4}$/i.test(text);
}
