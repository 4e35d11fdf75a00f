import { isJsonObject, type JsonObject } from '../oci/descriptor.ts';
import type { HealthcheckConfig } from '../oci/config.ts';
import * as field from './fields.ts';

/** The `Config` of a container (Engine API, ContainerConfig). */
export interface ContainerConfig {
  readonly Hostname: string;
  readonly Domainname: string;
  readonly User: string;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly StdinOnce: boolean;
  readonly Env: readonly string[] | null;
  readonly Cmd: readonly string[] | null;
  readonly Healthcheck?: HealthcheckConfig;
  readonly ArgsEscaped?: boolean;
  readonly Image: string;
  readonly Volumes: Readonly<Record<string, object>> | null;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[] | null;
  readonly NetworkDisabled?: boolean;
  readonly MacAddress?: string;
  readonly OnBuild: readonly string[] | null;
  readonly Labels: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly StopTimeout?: number;
  readonly Shell?: readonly string[];
}

/** Reads the configuration part of a create or commit request. @throws {EngineError} invalidArgument naming the field */
export function parseContainerConfig(body: JsonObject): ContainerConfig {
  const read = field.readFields(body, {
    Hostname: field.text(),
    Domainname: field.text(),
    User: field.text(),
    AttachStdin: field.flag,
    AttachStdout: field.flag,
    AttachStderr: field.flag,
    ExposedPorts: field.keySet,
    Tty: field.flag,
    OpenStdin: field.flag,
    StdinOnce: field.flag,
    Env: field.strings,
    Cmd: field.stringOrStrings,
    Healthcheck: field.object,
    ArgsEscaped: field.flag,
    Image: field.text(),
    Volumes: field.keySet,
    WorkingDir: field.text(),
    Entrypoint: field.stringOrStrings,
    NetworkDisabled: field.flag,
    MacAddress: field.text(),
    OnBuild: field.strings,
    Labels: field.textMap,
    StopSignal: field.text(),
    StopTimeout: field.optionalInteger,
    Shell: field.stringOrStrings,
  });
  const {
    ExposedPorts,
    Healthcheck,
    ArgsEscaped,
    NetworkDisabled,
    MacAddress,
    Labels,
    StopSignal,
    StopTimeout,
    Shell,
    ...plain
  } = read;
  return {
    ...plain,
    Labels: Labels ?? {},
    ...(ExposedPorts && Object.keys(ExposedPorts).length > 0 ? { ExposedPorts } : {}),
    ...(isJsonObject(Healthcheck) && Object.keys(Healthcheck).length > 0 ? { Healthcheck } : {}),
    ...(ArgsEscaped ? { ArgsEscaped } : {}),
    ...(NetworkDisabled ? { NetworkDisabled } : {}),
    ...(MacAddress ? { MacAddress } : {}),
    ...(StopSignal ? { StopSignal } : {}),
    ...(StopTimeout === null ? {} : { StopTimeout }),
    ...(Shell ? { Shell } : {}),
  };
}
