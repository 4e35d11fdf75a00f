import { EngineError } from '../base/errors.ts';
import type { ContainerConfig } from '../formats/engine-api/container-config.ts';
import type { HostConfig } from '../formats/engine-api/host-config.ts';
import { capabilityNames } from '../runtime/spec/capabilities.ts';
import { checkLimits } from './check-limits.ts';
import { parseSignal } from './signals.ts';

/** What this engine has to offer a container. */
export interface EngineAbilities {
  readonly runtimes: readonly string[];
  readonly defaultRuntime: string;
  readonly cgroupVersion: 1 | 2;
}

/**
 * Refuses what cannot be done: contradictions in docker's words, and options that are not served, so that none is ignored.
 *
 * @throws {EngineError} invalidArgument or notImplemented.
 */
export function checkHostConfig(hostConfig: HostConfig, config: ContainerConfig, abilities: EngineAbilities): void {
  const refuse = (message: string): never => {
    throw new EngineError('invalidArgument', message);
  };
  const { RestartPolicy: policy } = hostConfig;
  if (!['no', 'always', 'on-failure', 'unless-stopped'].includes(policy.Name)) {
    refuse(
      `invalid restart policy: unknown policy '${policy.Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (policy.MaximumRetryCount < 0) refuse('invalid restart policy: maximum retry count cannot be negative');
  if (policy.MaximumRetryCount > 0 && policy.Name !== 'on-failure') {
    refuse("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (hostConfig.AutoRemove && policy.Name !== 'no') refuse("can't create 'AutoRemove' container with restart policy");
  checkLimits(hostConfig);
  checkModes(hostConfig, refuse);
  const unknown = (hostConfig.CapAdd ?? [])
    .concat(hostConfig.CapDrop ?? [])
    .map(capabilityName)
    .find(isUnknownCapability);
  if (unknown !== undefined) {
    const which = (hostConfig.CapAdd ?? []).map(capabilityName).includes(unknown) ? 'CapAdd' : 'CapDrop';
    refuse(`invalid ${which}: unknown capability: "${unknown}"`);
  }
  const wrongHost = (hostConfig.ExtraHosts ?? []).find((host) => !/^[^:=]+[:=].+$/.test(host));
  if (wrongHost !== undefined) refuse(`bad format for add-host: "${wrongHost}"`);
  checkLogOptions(hostConfig, refuse);
  if (config.StopSignal !== undefined && parseSignal(config.StopSignal) === undefined)
    refuse(`invalid signal: ${config.StopSignal}`);
  if (hostConfig.Runtime !== '' && !abilities.runtimes.includes(hostConfig.Runtime)) {
    refuse(`unknown or invalid runtime name: ${hostConfig.Runtime}`);
  }
  for (const variable of config.Env ?? []) {
    if (variable === '' || variable.startsWith('=')) refuse(`invalid environment variable: ${variable}`);
  }
  refuseUnserved(hostConfig);
}

type Refuse = (message: string) => never;

/** Words that no engine knows; what docker knows and this engine does not serve is told apart from them. */
function checkModes(hostConfig: HostConfig, refuse: Refuse): void {
  const { NetworkMode, IpcMode, PidMode, UTSMode, CgroupnsMode, Isolation } = hostConfig;
  if (NetworkMode === 'container:') refuse('invalid network mode: invalid container format container:<name|id>');
  if (!/^(private|shareable|host|none|container:.+)$/.test(IpcMode)) refuse(`invalid IPC mode: ${IpcMode}`);
  if (!/^(|host|container:.+)$/.test(PidMode)) refuse(`invalid PID mode: ${PidMode}`);
  if (!['', 'host'].includes(UTSMode)) refuse(`invalid UTS mode: ${UTSMode}`);
  if (!['private', 'host'].includes(CgroupnsMode)) refuse(`invalid cgroup namespace mode: ${CgroupnsMode}`);
  if (!['', 'default'].includes(Isolation)) refuse(`invalid isolation (${Isolation}): linux only supports 'default'`);
}

function capabilityName(text: string): string {
  const name = text.toUpperCase();
  return name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`;
}

function isUnknownCapability(name: string): boolean {
  return name !== 'ALL' && !capabilityNames.includes(name);
}

const jsonFileOptions = ['max-file', 'max-size', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag'];

function checkLogOptions({ LogConfig }: HostConfig, refuse: Refuse): void {
  if (LogConfig.Type !== 'json-file') return;
  const known = [...jsonFileOptions, 'mode', 'max-buffer-size', 'cache-disabled'];
  const wrong = Object.keys(LogConfig.Config ?? {}).find((name) => !known.includes(name) && !name.startsWith('cache-'));
  if (wrong !== undefined) refuse(`unknown log opt '${wrong}' for json-file log driver`);
}

/** The options that are not served yet; docs/compatibility.md lists them. */
function refuseUnserved(hostConfig: HostConfig): void {
  const unserved: readonly (readonly [asked: boolean, what: string])[] = [
    [!['none', 'host', 'bridge'].includes(hostConfig.NetworkMode), `network mode ${hostConfig.NetworkMode}`],
    [!['json-file', 'none'].includes(hostConfig.LogConfig.Type), `log driver ${hostConfig.LogConfig.Type}`],
    [(hostConfig.Links ?? []).length > 0, 'links'],
    [(hostConfig.VolumesFrom ?? []).length > 0, 'volumes-from'],
    [hostConfig.VolumeDriver !== '', `volume driver ${hostConfig.VolumeDriver}`],
    [Object.keys(hostConfig.StorageOpt ?? {}).length > 0, 'storage-opt'],
    [(hostConfig.DeviceRequests ?? []).length > 0, 'device requests'],
    [hostConfig.UsernsMode !== '' && hostConfig.UsernsMode !== 'host', `user namespace mode ${hostConfig.UsernsMode}`],
    [hostConfig.ContainerIDFile !== '' && !hostConfig.ContainerIDFile.startsWith('/'), 'relative container id files'],
    [!['private', 'shareable', 'host', 'none'].includes(hostConfig.IpcMode), `ipc mode ${hostConfig.IpcMode}`],
    [!['', 'host'].includes(hostConfig.PidMode), `pid mode ${hostConfig.PidMode}`],
    [hostConfig.CpuRealtimePeriod !== 0 || hostConfig.CpuRealtimeRuntime !== 0, 'real-time CPU scheduling'],
    [hostConfig.Init === true, 'an init process'],
  ];
  for (const [asked, what] of unserved) {
    if (asked) throw new EngineError('notImplemented', `${what}: not served by this engine yet`);
  }
}
