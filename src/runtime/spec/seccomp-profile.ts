import { EngineError } from '../../base/errors.ts';
import {
  alwaysAllowed,
  byArchitecture,
  byCapability,
  deniedFamilies,
  LAST_ADDRESS_FAMILY,
  NAMESPACE_CLONE_FLAGS,
  personalities,
  tracing,
} from './default-seccomp.ts';
import type { RuntimeSeccomp, RuntimeSyscall, RuntimeSyscallArgument } from './runtime-spec.ts';

/** A profile as users give it with `--security-opt seccomp=FILE` (Docker's format: runtime-spec with conditions). */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures?: readonly string[] | null }[];
  readonly flags?: readonly string[];
  readonly syscalls?: readonly ProfileRule[] | null;
}

interface ProfileRule {
  readonly name?: string;
  readonly names?: readonly string[];
  readonly action: string;
  readonly errnoRet?: number | null;
  readonly args?: readonly RuntimeSyscallArgument[] | null;
  readonly includes?: RuleCondition | null;
  readonly excludes?: RuleCondition | null;
}

interface RuleCondition {
  readonly caps?: readonly string[] | null;
  readonly arches?: readonly string[] | null;
  readonly minKernel?: string;
}

/** What conditions in a profile look at. */
export interface SeccompContext {
  readonly capabilities: readonly string[];
  readonly kernelRelease?: string | undefined;
  readonly architecture?: 'x64' | 'arm64';
}

const ENOSYS = 38;
const EPERM = 1;

const architectures = {
  x64: { docker: 'amd64', names: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
  arm64: { docker: 'arm64', names: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'] },
} as const;

/**
 * Returns the filter of a container as the runtime takes it; `undefined` for none.
 *
 * @throws {EngineError} invalidArgument when a given profile is not one.
 */
export function createSeccomp(
  profile: 'default' | 'unconfined' | SeccompProfile,
  context: SeccompContext,
): RuntimeSeccomp | undefined {
  if (profile === 'unconfined') return undefined;
  return profile === 'default' ? defaultFilter(context) : resolveProfile(profile, context);
}

function defaultFilter(context: SeccompContext): RuntimeSeccomp {
  const architecture = context.architecture ?? thisArchitecture();
  const administrator = context.capabilities.includes('CAP_SYS_ADMIN');
  const names = new Set(`${alwaysAllowed} ${byArchitecture[architecture]}`.split(' '));
  if (isKernelAtLeast(context.kernelRelease, '4.8')) for (const name of tracing.split(' ')) names.add(name);
  for (const capability of context.capabilities) {
    for (const name of (byCapability[capability] ?? '').split(' ')) if (name !== '') names.add(name);
  }
  const rules: RuntimeSyscall[] = [
    { names: [...names], action: 'SCMP_ACT_ALLOW' },
    ...personalities.map((value) => allowIf('personality', { index: 0, value, op: 'SCMP_CMP_EQ' })),
    ...allowedFamilies(),
  ];
  if (!administrator) {
    rules.push(
      allowIf('clone', { index: 0, value: NAMESPACE_CLONE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
      // clone3 hides its flags behind a pointer; ENOSYS makes C libraries use clone.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    );
  }
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: architectures[architecture].names,
    syscalls: rules,
  };
}

/** One rule a family: "not equal" would let 2³² + 38 through, which the kernel cuts to 38. */
function allowedFamilies(): readonly RuntimeSyscall[] {
  const lowest = Math.min(...deniedFamilies);
  const rules = [allowIf('socket', { index: 0, value: lowest, op: 'SCMP_CMP_LT' })];
  for (let family = lowest + 1; family <= LAST_ADDRESS_FAMILY; family++) {
    if (!deniedFamilies.includes(family)) rules.push(allowIf('socket', { index: 0, value: family, op: 'SCMP_CMP_EQ' }));
  }
  return rules;
}

function allowIf(name: string, condition: RuntimeSyscallArgument): RuntimeSyscall {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [condition] };
}

function resolveProfile(profile: SeccompProfile, context: SeccompContext): RuntimeSeccomp {
  if (typeof profile.defaultAction !== 'string' || !profile.defaultAction.startsWith('SCMP_ACT_')) {
    throw new EngineError('invalidArgument', 'Decoding seccomp profile failed: no defaultAction');
  }
  if (profile.archMap && profile.architectures && profile.architectures.length > 0) {
    throw new EngineError(
      'invalidArgument',
      'both architectures and archMap are specified in the seccomp profile, use either',
    );
  }
  const architecture = context.architecture ?? thisArchitecture();
  const mapped = profile.archMap?.find((entry) => entry.architecture === architectures[architecture].names[0]);
  const names = mapped ? [mapped.architecture, ...(mapped.subArchitectures ?? [])] : profile.architectures;
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(names ? { architectures: names } : {}),
    ...(profile.flags ? { flags: profile.flags } : {}),
    syscalls: (profile.syscalls ?? []).filter((rule) => applies(rule, architecture, context)).map(resolveRule),
  };
}

function applies(rule: ProfileRule, architecture: 'x64' | 'arm64', context: SeccompContext): boolean {
  const docker: string = architectures[architecture].docker;
  const { includes, excludes } = rule;
  if (excludes?.arches?.includes(docker)) return false;
  if (excludes?.caps?.some((name) => context.capabilities.includes(name))) return false;
  if (excludes?.minKernel !== undefined && isKernelAtLeast(context.kernelRelease, excludes.minKernel)) return false;
  if (includes?.arches && includes.arches.length > 0 && !includes.arches.includes(docker)) return false;
  if (includes?.caps?.some((name) => !context.capabilities.includes(name))) return false;
  return includes?.minKernel === undefined || isKernelAtLeast(context.kernelRelease, includes.minKernel);
}

function resolveRule(rule: ProfileRule): RuntimeSyscall {
  const names = rule.names && rule.names.length > 0 ? rule.names : rule.name === undefined ? [] : [rule.name];
  if (names.length === 0 || typeof rule.action !== 'string') {
    throw new EngineError('invalidArgument', 'Decoding seccomp profile failed: a rule without names or action');
  }
  return {
    names,
    action: rule.action,
    ...(rule.errnoRet === undefined || rule.errnoRet === null ? {} : { errnoRet: rule.errnoRet }),
    ...(rule.args && rule.args.length > 0 ? { args: rule.args } : {}),
  };
}

/** Without a known release the kernel counts as recent: 4.8 is older than all that Slipway runs on. */
function isKernelAtLeast(release: string | undefined, minimum: string): boolean {
  if (release === undefined) return true;
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const [wantMajor = 0, wantMinor = 0] = minimum.split('.').map(Number);
  return major > wantMajor || (major === wantMajor && minor >= wantMinor);
}

function thisArchitecture(): 'x64' | 'arm64' {
  return process.arch === 'arm64' ? 'arm64' : 'x64';
}
