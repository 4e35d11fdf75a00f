import koffi from 'koffi';
import { closeDescriptor } from './descriptor.ts';
import { createPipe, readBytes } from './pipe.ts';

/** One rule for {@link compileSeccompFilter}. */
export interface FilterRule {
  readonly names: readonly string[];
  /** A SCMP_ACT_ value of libseccomp. */
  readonly action: number;
  readonly conditions: readonly FilterCondition[];
}

/** `operator` is a value of libseccomp's enum scmp_compare. */
export interface FilterCondition {
  readonly argument: number;
  readonly operator: number;
  readonly a: number;
  readonly b: number;
}

/** A whole filter; architectures are AUDIT_ARCH_ tokens in addition to this machine's own. */
export interface Filter {
  readonly defaultAction: number;
  readonly architectures: readonly number[];
  readonly rules: readonly FilterRule[];
}

interface Library {
  readonly init: (action: number) => unknown;
  readonly release: (context: unknown) => void;
  readonly addArchitecture: (context: unknown, token: number) => number;
  readonly addRule: (context: unknown, action: number, call: number, count: number, conditions: Buffer) => number;
  readonly resolve: (name: string) => number;
  readonly setAttribute: (context: unknown, attribute: number, value: number) => number;
  readonly exportProgram: (context: unknown, fd: number) => number;
}

/** struct scmp_arg_cmp: u32 argument, u32 operator, u64 a, u64 b. */
const CONDITION_BYTES = 24;
const MAX_PROGRAM_BYTES = 4096 * 8;
const UNKNOWN_CALL = -1;
const EEXIST = 17;
const ATTRIBUTE_OPTIMIZE = 8;
const BINARY_TREE = 2;

/** System calls newer than libseccomp 2.5; from 424 on the numbers are the same on all architectures. */
const newerCalls: Readonly<Record<string, number>> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
};

const FIRST_UNKNOWN = 470;
const ACTION_ALLOW = 0x7fff0000;
const ACTION_ERRNO = 0x00050000;
const ENOSYS = 38;

// Classic BPF (linux/bpf_common.h) over struct seccomp_data.
const LOAD = 0x20;
const JUMP_ALWAYS = 0x05;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER_OR_EQUAL = 0x35;
const RETURN = 0x06;
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const X32_BIT = 0x40000000;
const X86_64 = 0xc000003e;
const AARCH64 = 0xc00000b7;

let library: Library | undefined;
let loaded = false;

/**
 * Compiles a filter to the bytes of its BPF program with the system's libseccomp (9 ms: cache the result); `undefined` when
 * the library is missing or refuses the filter. Names that no architecture knows are left out, as the runtimes do.
 */
export function compileSeccompFilter(filter: Filter): Buffer | undefined {
  const seccomp = loadLibrary();
  if (!seccomp) return undefined;
  const context = seccomp.init(filter.defaultAction);
  if (context === null) return undefined;
  try {
    for (const token of filter.architectures) {
      const result = seccomp.addArchitecture(context, token);
      if (result !== 0 && result !== -EEXIST) return undefined;
    }
    for (const rule of filter.rules) if (!addRule(seccomp, context, rule)) return undefined;
    // Only a shorter path through the program; older libraries lack it.
    seccomp.setAttribute(context, ATTRIBUTE_OPTIMIZE, BINARY_TREE);
    const program = exportProgram(seccomp, context);
    return program && newerCallsFirst(filter, program);
  } finally {
    seccomp.release(context);
  }
}

function addRule(seccomp: Library, context: unknown, rule: FilterRule): boolean {
  const conditions = Buffer.alloc(Math.max(1, rule.conditions.length) * CONDITION_BYTES);
  rule.conditions.forEach(({ argument, operator, a, b }, index) => {
    const at = index * CONDITION_BYTES;
    conditions.writeUInt32LE(argument, at);
    conditions.writeUInt32LE(operator, at + 4);
    conditions.writeBigUInt64LE(BigInt(a), at + 8);
    conditions.writeBigUInt64LE(BigInt(b), at + 16);
  });
  return rule.names.every((name) => {
    const call = seccomp.resolve(name);
    return (
      call === UNKNOWN_CALL || seccomp.addRule(context, rule.action, call, rule.conditions.length, conditions) === 0
    );
  });
}

/**
 * libseccomp 2.5 neither knows recent system calls nor takes their numbers where a filter has several architectures, so they
 * come in front of its program, for this machine's own architecture: those that a rule allows, and ENOSYS for numbers above
 * all known ones where the default is to fail, so that C libraries fall back instead of giving up.
 */
function newerCallsFirst(filter: Filter, program: Buffer): Buffer {
  const allowed = new Set(
    filter.rules
      .filter(({ action, conditions }) => action === ACTION_ALLOW && conditions.length === 0)
      .flatMap(({ names }) => names.map((name) => newerCalls[name]))
      .filter((call) => call !== undefined),
  );
  const fails = (filter.defaultAction & 0xffff0000) >>> 0 === ACTION_ERRNO;
  // From the end: allow, ENOSYS, then libseccomp's program.
  const count = allowed.size;
  const code = [
    instruction(LOAD, 0, 0, ARCHITECTURE_AT),
    instruction(JUMP_EQUAL, 0, count + 6, process.arch === 'arm64' ? AARCH64 : X86_64),
    instruction(LOAD, 0, 0, NUMBER_AT),
    instruction(JUMP_GREATER_OR_EQUAL, count + 4, 0, X32_BIT),
    instruction(JUMP_GREATER_OR_EQUAL, fails ? count + 2 : count + 3, 0, FIRST_UNKNOWN),
    ...[...allowed].map((call, index) => instruction(JUMP_EQUAL, count - index, 0, call)),
    instruction(JUMP_ALWAYS, 0, 0, 2),
    instruction(RETURN, 0, 0, ACTION_ALLOW),
    instruction(RETURN, 0, 0, ACTION_ERRNO | ENOSYS),
  ];
  return Buffer.concat([...code, program]);
}

/** struct sock_filter. */
function instruction(code: number, ifTrue: number, ifFalse: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(ifTrue, 2);
  bytes.writeUInt8(ifFalse, 3);
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}

function exportProgram(seccomp: Library, context: unknown): Buffer | undefined {
  const pipe = createPipe();
  try {
    if (seccomp.exportProgram(context, pipe.write) !== 0) return undefined;
    const bytes = Buffer.alloc(MAX_PROGRAM_BYTES);
    const count = readBytes(pipe.read, bytes, bytes.length);
    return typeof count === 'number' ? bytes.subarray(0, count) : undefined;
  } finally {
    closeDescriptor(pipe.read);
    closeDescriptor(pipe.write);
  }
}

function loadLibrary(): Library | undefined {
  if (loaded) return library;
  loaded = true;
  let handle: ReturnType<typeof koffi.load>;
  try {
    handle = koffi.load('libseccomp.so.2');
  } catch {
    // Not installed: the runtimes bring their own and compile at each start.
    return undefined;
  }
  library = {
    init: handle.func('void *seccomp_init(uint32_t action)'),
    release: handle.func('void seccomp_release(void *context)'),
    addArchitecture: handle.func('int seccomp_arch_add(void *context, uint32_t token)'),
    addRule: handle.func(
      'int seccomp_rule_add_array(void *context, uint32_t action, int call, uint32_t count, void *conditions)',
    ),
    resolve: handle.func('int seccomp_syscall_resolve_name(const char *name)'),
    setAttribute: handle.func('int seccomp_attr_set(void *context, int attribute, uint32_t value)'),
    exportProgram: handle.func('int seccomp_export_bpf(void *context, int fd)'),
  };
  return library;
}
