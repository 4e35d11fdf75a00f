import type { NamespaceMode, SpecInput } from './input.ts';

const own: NamespaceMode = { kind: 'private' };

/** A namespace entry of the runtime-spec. */
interface NamespaceEntry {
  readonly type: string;
  readonly path?: string;
}

/** Returns the namespaces a container gets of its own or joins; the host's are left out. */
export function createNamespaces(input: SpecInput, cgroupVersion: 1 | 2): readonly NamespaceEntry[] {
  const { network, ipc, pid, uts, cgroup } = input.namespaces;
  const cgroupMode: NamespaceMode = cgroup ?? {
    kind: cgroupVersion === 2 && input.privileged !== true ? 'private' : 'host',
  };
  return [
    { type: 'mount' },
    ...entry('network', network.kind === 'none' ? own : network),
    ...entry('uts', uts ?? (network.kind === 'host' ? { kind: 'host' } : { kind: 'private' })),
    ...entry('pid', pid ?? { kind: 'private' }),
    ...entry('ipc', ipc === undefined || ipc.kind === 'none' ? { kind: 'private' } : ipc),
    ...entry('cgroup', cgroupMode),
  ];
}

function entry(type: string, mode: NamespaceMode): readonly NamespaceEntry[] {
  if (mode.kind === 'host') return [];
  return [mode.kind === 'path' ? { type, path: mode.path } : { type }];
}
