import { createHash } from 'node:crypto';
import { EngineError } from '../base/errors.ts';
import { compileSeccompFilter } from '../host/seccomp.ts';
import type { FilterCondition, FilterRule } from '../host/seccomp.ts';
import type { RuntimeSeccomp, RuntimeSyscall, RuntimeSyscallArgument } from './spec/runtime-spec.ts';

const MAX_CACHED = 64;
const EPERM = 1;

const actions: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};

const operators: Readonly<Record<string, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

/** libseccomp's architecture tokens (AUDIT_ARCH_ values; x32 is x86-64 without the 64-bit flag). */
const architectureTokens: Readonly<Record<string, number>> = {
  SCMP_ARCH_X86: 0x40000003,
  SCMP_ARCH_X86_64: 0xc000003e,
  SCMP_ARCH_X32: 0x4000003e,
  SCMP_ARCH_ARM: 0x40000028,
  SCMP_ARCH_AARCH64: 0xc00000b7,
};

const cache = new Map<string, string | undefined>();

/**
 * Compiles a filter once and remembers it: base64 of its BPF program for crun's annotation. `undefined` when it has to stay
 * with the runtime: no libseccomp here, or something in the profile that only a runtime can do (notify, flags).
 */
export function compileSeccomp(seccomp: RuntimeSeccomp): string | undefined {
  const key = createHash('sha256').update(JSON.stringify(seccomp)).digest('hex');
  if (cache.has(key)) return cache.get(key);
  const compiled = compile(seccomp);
  const oldest = cache.keys().next();
  if (cache.size >= MAX_CACHED && oldest.done !== true) cache.delete(oldest.value);
  cache.set(key, compiled);
  return compiled;
}

function compile(seccomp: RuntimeSeccomp): string | undefined {
  const defaultAction = actionValue(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const tokens = (seccomp.architectures ?? []).map((name) => architectureTokens[name]);
  if (defaultAction === undefined || (seccomp.flags ?? []).length > 0) return undefined;
  if (tokens.some((token) => token === undefined)) return undefined;
  const rules: FilterRule[] = [];
  for (const rule of seccomp.syscalls) {
    const action = actionValue(rule.action, rule.errnoRet);
    if (action === undefined) return undefined;
    // libseccomp refuses rules that say what the default says.
    if (action !== defaultAction) rules.push(...filterRules(rule, action));
  }
  const architectures = tokens.filter((token) => token !== undefined);
  return compileSeccompFilter({ defaultAction, architectures, rules })?.toString('base64');
}

/** Conditions on different arguments must all hold; several on one argument are alternatives (as runc reads them). */
function filterRules(rule: RuntimeSyscall, action: number): FilterRule[] {
  const conditions = (rule.args ?? []).map(filterCondition);
  const distinct = new Set(conditions.map(({ argument }) => argument)).size === conditions.length;
  if (distinct) return [{ names: rule.names, action, conditions }];
  return conditions.map((condition) => ({ names: rule.names, action, conditions: [condition] }));
}

function filterCondition(given: RuntimeSyscallArgument): FilterCondition {
  const operator = operators[given.op];
  if (operator === undefined || !Number.isSafeInteger(given.index) || given.index < 0 || given.index > 5) {
    throw new EngineError('invalidArgument', `seccomp profile: invalid condition ${JSON.stringify(given)}`);
  }
  return { argument: given.index, operator, a: given.value, b: given.valueTwo ?? 0 };
}

function actionValue(name: string, errno: number | undefined): number | undefined {
  const value = actions[name];
  if (value === undefined) return undefined;
  return name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE' ? (value | ((errno ?? EPERM) & 0xffff)) >>> 0 : value;
}
