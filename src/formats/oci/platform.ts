/** The system an image is made for (OCI image-spec, image-index.md, platform). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly osVersion?: string;
}

/** Reads a platform object that came from outside; what is missing is empty. */
export function parsePlatform(value: Readonly<Record<string, unknown>>): Platform {
  const text = (field: unknown): string => (typeof field === 'string' ? field : '');
  const variant = text(value['variant']);
  const osVersion = text(value['os.version']);
  return {
    os: text(value['os']),
    architecture: text(value['architecture']),
    ...(variant ? { variant } : {}),
    ...(osVersion ? { osVersion } : {}),
  };
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386', ppc64: 'ppc64le' };

/** Returns the platform of this machine. */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: 'linux', architecture: architectures[process.arch] ?? process.arch });
}

/** Returns a platform with its usual spellings: `x86_64` is `amd64`, `aarch64` is `arm64`, `arm64/v8` is `arm64`. */
export function normalizePlatform(platform: Platform): Platform {
  const spellings: Readonly<Record<string, string>> = {
    x86_64: 'amd64',
    'x86-64': 'amd64',
    aarch64: 'arm64',
    i386: '386',
  };
  const architecture = spellings[platform.architecture.toLowerCase()] ?? platform.architecture.toLowerCase();
  const variant = architecture === 'arm' ? (platform.variant ?? 'v7') : platform.variant;
  const dropped = variant === undefined || variant === '' || (architecture === 'arm64' && variant === 'v8');
  return { os: platform.os.toLowerCase(), architecture, ...(dropped ? {} : { variant }) };
}

/** Returns `os/architecture[/variant]`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalizePlatform(platform);
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

/** Reads `os/architecture[/variant]`, `os` or `architecture`; `undefined` when it is none of these. */
export function tryParsePlatformText(text: string): Platform | undefined {
  const parts = text.split('/');
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) return undefined;
  const [first = '', second, third] = parts;
  if (second !== undefined)
    return normalizePlatform({ os: first, architecture: second, ...(third ? { variant: third } : {}) });
  const host = hostPlatform();
  return ['linux', 'windows', 'darwin', 'freebsd'].includes(first.toLowerCase())
    ? normalizePlatform({ ...host, os: first })
    : normalizePlatform({ ...host, architecture: first });
}

/** Whether content made for `offered` runs where `wanted` is asked for. */
export function platformMatches(wanted: Platform, offered: Platform): boolean {
  const want = normalizePlatform(wanted);
  const offer = normalizePlatform(offered);
  if (want.os !== offer.os || want.architecture !== offer.architecture) return false;
  return want.variant === offer.variant || want.variant === undefined;
}
