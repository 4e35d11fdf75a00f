import { effectiveCapabilities } from './capabilities.ts';
import { createDevices } from './devices.ts';
import { createMaskedPaths, createReadonlyPaths } from './hidden-paths.ts';
import type { SpecInput } from './input.ts';
import { argumentsWithInit, createMounts } from './mounts.ts';
import { createNamespaces } from './namespaces.ts';
import { createProcess } from './process.ts';
import { createResources } from './resources.ts';
import type { RuntimeProcess, RuntimeSeccomp, RuntimeSpec } from './runtime-spec.ts';
import type { ProcessInput } from './input.ts';
import { createSeccomp } from './seccomp-profile.ts';
import { createSysctls } from './sysctls.ts';

/** crun loads this ready-made filter instead of compiling `linux.seccomp` at each start, which costs it 14 ms. */
const SECCOMP_ANNOTATION = 'run.oci.seccomp_bpf_data';
const RUNTIME_ANNOTATIONS = 'run.oci.';

/** What the machine brings into a spec. */
export interface SpecEnvironment {
  readonly cgroupVersion: 1 | 2;
  /** Compiles a filter to base64 of its BPF program; absent or `undefined`: the runtime compiles. */
  readonly compileSeccomp?: (seccomp: RuntimeSeccomp) => string | undefined;
}

/**
 * Returns the runtime's `config.json` for a container with Docker's defaults. Pure.
 *
 * @throws {EngineError} invalidArgument for names and limits that make no sense.
 */
export function createSpec(input: SpecInput, environment: SpecEnvironment): RuntimeSpec {
  const privileged = input.privileged ?? false;
  const capabilities = capabilitiesOf(input);
  const seccomp = createSeccomp(input.seccomp ?? (privileged ? 'unconfined' : 'default'), {
    capabilities,
    kernelRelease: input.kernelRelease,
  });
  const compiled = seccomp && input.runtime === 'crun' ? environment.compileSeccomp?.(seccomp) : undefined;
  const annotations = {
    ...userAnnotations(input),
    ...(compiled === undefined ? {} : { [SECCOMP_ANNOTATION]: compiled }),
  };
  const ownUts = (input.namespaces.uts?.kind ?? 'private') === 'private' && input.namespaces.network.kind !== 'host';
  return {
    ociVersion: '1.0.2',
    process: createProcess({ ...input.process, args: argumentsWithInit(input) }, capabilities),
    root: { path: input.rootfs, readonly: input.readonlyRootfs ?? false },
    ...(ownUts && input.hostname !== undefined ? { hostname: input.hostname } : {}),
    ...(ownUts && input.domainname !== undefined && input.domainname !== '' ? { domainname: input.domainname } : {}),
    mounts: createMounts(input),
    annotations,
    linux: {
      namespaces: createNamespaces(input, environment.cgroupVersion),
      devices: createDevices(input),
      cgroupsPath: input.cgroupsPath,
      resources: createResources(input),
      sysctl: createSysctls(input),
      maskedPaths: createMaskedPaths(input),
      readonlyPaths: createReadonlyPaths(input),
      ...(seccomp && compiled === undefined ? { seccomp } : {}),
    },
  };
}

/** Returns the process object of an exec in the container of `input`. @throws as {@link createSpec} */
export function createExecProcess(
  input: SpecInput,
  exec: ProcessInput & { readonly privileged?: boolean },
): RuntimeProcess {
  const capabilities =
    exec.privileged === true
      ? effectiveCapabilities({ add: [], drop: [] }, true, input.availableCapabilities)
      : capabilitiesOf(input);
  return createProcess(exec, capabilities);
}

function capabilitiesOf(input: SpecInput): readonly string[] {
  const change = input.capabilities ?? { add: [], drop: [] };
  return effectiveCapabilities(change, input.privileged ?? false, input.availableCapabilities);
}

function userAnnotations(input: SpecInput): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(input.annotations ?? {}).filter(([name]) => !name.startsWith(RUNTIME_ANNOTATIONS)),
  );
}
