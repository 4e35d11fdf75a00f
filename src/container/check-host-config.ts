import { EngineError } from '../base/errors.ts';
import type { ContainerConfig } from '../formats/engine-api/container-config.ts';
import type { HostConfig } from '../formats/engine-api/host-config.ts';
import { parseSignal } from './signals.ts';

/** What this engine has to offer a container. */
export interface EngineAbilities {
  readonly runtimes: readonly string[];
  readonly defaultRuntime: string;
  readonly cgroupVersion: 1 | 2;
}

const minimumMemoryBytes = 6 << 20;

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
  if (hostConfig.Memory !== 0 && hostConfig.Memory < minimumMemoryBytes) refuse('Minimum memory limit allowed is 6MB');
  if (hostConfig.Memory > 0 && hostConfig.MemorySwap > 0 && hostConfig.MemorySwap < hostConfig.Memory) {
    refuse('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (hostConfig.Memory === 0 && hostConfig.MemorySwap > 0)
    refuse('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (hostConfig.NanoCpus > 0 && (hostConfig.CpuPeriod > 0 || hostConfig.CpuQuota > 0)) {
    refuse('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
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
    [!['', 'default'].includes(hostConfig.Isolation), `isolation ${hostConfig.Isolation}`],
    [hostConfig.ContainerIDFile !== '' && !hostConfig.ContainerIDFile.startsWith('/'), 'relative container id files'],
    [!['private', 'shareable', 'host', 'none'].includes(hostConfig.IpcMode), `ipc mode ${hostConfig.IpcMode}`],
    [!['', 'host'].includes(hostConfig.PidMode), `pid mode ${hostConfig.PidMode}`],
    [!['', 'host'].includes(hostConfig.UTSMode), `uts mode ${hostConfig.UTSMode}`],
    [hostConfig.CpuRealtimePeriod !== 0 || hostConfig.CpuRealtimeRuntime !== 0, 'real-time CPU scheduling'],
    [hostConfig.Init === true, 'an init process'],
  ];
  for (const [asked, what] of unserved) {
    if (asked) throw new EngineError('notImplemented', `${what}: not served by this engine yet`);
  }
}
