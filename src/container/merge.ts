import { EngineError } from '../base/errors.ts';
import type { ContainerConfig } from '../formats/engine-api/container-config.ts';
import type { RunConfig } from '../formats/oci/config.ts';

/** Returns a container's configuration with what its image says by default filled in, as docker merges the two. */
export function mergeImageConfig(asked: ContainerConfig, image: RunConfig): ContainerConfig {
  const ownEntrypoint = (asked.Entrypoint?.length ?? 0) > 0;
  const ownCommand = (asked.Cmd?.length ?? 0) > 0;
  const entrypoint = ownEntrypoint || asked.Entrypoint !== null ? asked.Entrypoint : (image.Entrypoint ?? null);
  const exposed = { ...image.ExposedPorts, ...asked.ExposedPorts };
  const volumes = { ...image.Volumes, ...asked.Volumes };
  const healthcheck = asked.Healthcheck ?? image.Healthcheck;
  const stopSignal = asked.StopSignal ?? image.StopSignal;
  const shell = asked.Shell ?? image.Shell;
  return {
    ...asked,
    User: asked.User || (image.User ?? ''),
    Env: mergeEnvironment(asked.Env, image.Env),
    Cmd: ownEntrypoint || ownCommand ? asked.Cmd : (image.Cmd ?? null),
    // `--entrypoint ""` arrives as one empty word and clears the image's.
    Entrypoint: entrypoint?.length === 1 && entrypoint[0] === '' ? null : entrypoint,
    WorkingDir: asked.WorkingDir || (image.WorkingDir ?? ''),
    Labels: { ...image.Labels, ...asked.Labels },
    Volumes: Object.keys(volumes).length > 0 ? volumes : null,
    OnBuild: null,
    ...(Object.keys(exposed).length > 0 ? { ExposedPorts: exposed } : {}),
    ...(healthcheck ? { Healthcheck: healthcheck } : {}),
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ...(shell === undefined ? {} : { Shell: shell }),
  };
}

function mergeEnvironment(
  asked: readonly string[] | null,
  image: readonly string[] | undefined,
): readonly string[] | null {
  if (image === undefined || image.length === 0) return asked;
  const own = new Set((asked ?? []).map(variableName));
  return [...(asked ?? []), ...image.filter((variable) => !own.has(variableName(variable)))];
}

function variableName(variable: string): string {
  return variable.split('=', 1)[0] ?? variable;
}

/**
 * Returns the program and its arguments.
 *
 * @throws {EngineError} invalidArgument when there are none.
 */
export function programOf(config: ContainerConfig): readonly string[] {
  const args = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (args.length === 0) throw new EngineError('invalidArgument', 'no command specified');
  return args;
}
