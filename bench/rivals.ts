/**
 * The engines to measure against, both from Debian's packages: bookworm's docker.io as installed here, and sid's docker.io,
 * downloaded by apt and unpacked beside the system.
 *
 * ```
 * FOLDER/apt/          apt's own state for sid, apart from the system's
 * FOLDER/sid/          the unpacked packages, and VERSIONS
 * ```
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** How a rival is started. */
export interface Rival {
  readonly name: string;
  readonly version: string;
  readonly dockerd: string;
  /** Where it looks for containerd, runc and the rest. */
  readonly searchPath: string;
  readonly settings: object;
  /** The folder of its unpacked programs; absent when they are installed. */
  readonly programs?: string;
}

const sidPackages = ['docker.io', 'docker-cli', 'containerd'];
const bookwormPackages = ['docker.io', 'runc', 'containerd', 'docker-registry', 'busybox-static', 'gzip', 'tar'];

/** Brings both rivals and the stock client here, unless they are here already. */
export function fetchRivals(folder: string): { readonly rivals: readonly Rival[]; readonly dockerClient: string } {
  const sid = path.join(folder, 'sid');
  if (!existsSync(path.join(sid, 'VERSIONS'))) unpackSid(path.join(folder, 'apt'), sid);
  requireInstalled();
  const versions = readFileSync(path.join(sid, 'VERSIONS'), 'utf8');
  const systemPath = process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin';
  return {
    dockerClient: path.join(sid, 'usr/bin/docker'),
    rivals: [
      {
        name: 'docker20',
        version: installedVersion('docker.io'),
        dockerd: '/usr/sbin/dockerd',
        searchPath: `/usr/sbin:/usr/bin:${systemPath}`,
        settings: {},
      },
      {
        name: 'docker28',
        version: /docker\.io\s+(?:Version:\s*)?(\S+)/.exec(versions)?.[1] ?? 'unknown',
        dockerd: path.join(sid, 'usr/sbin/dockerd'),
        searchPath: `${sid}/usr/bin:${sid}/usr/sbin:${systemPath}`,
        programs: path.join(sid, 'usr'),
        settings: { features: { 'containerd-snapshotter': true } },
      },
    ],
  };
}

/** Sid's packages by an apt with lists, cache and status of its own: nothing of the system changes. */
function unpackSid(apt: string, sid: string): void {
  for (const name of ['lists/partial', 'cache/archives/partial', 'debs'])
    mkdirSync(path.join(apt, name), { recursive: true });
  mkdirSync(sid, { recursive: true });
  writeFileSync(path.join(apt, 'status'), '');
  const source = `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${debianMirror()} sid main\n`;
  writeFileSync(path.join(apt, 'sid.list'), source);
  const settings = [
    `Dir::Etc::sourcelist=${apt}/sid.list`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${apt}/lists`,
    `Dir::Cache=${apt}/cache`,
    `Dir::State::status=${apt}/status`,
    'APT::Sandbox::User=root',
  ].flatMap((setting) => ['-o', setting]);
  const debs = path.join(apt, 'debs');
  execFileSync('apt-get', [...settings, 'update', '-qq'], { stdio: 'inherit' });
  execFileSync('apt-get', [...settings, 'download', '-qq', ...sidPackages], { cwd: debs, stdio: 'inherit' });
  const lines: string[] = [];
  for (const deb of readdirSync(debs)) {
    execFileSync('dpkg-deb', ['-x', path.join(debs, deb), sid]);
    lines.push(dpkgField(path.join(debs, deb), 'Package') + ' ' + dpkgField(path.join(debs, deb), 'Version'));
  }
  // Sid's own runc wants a newer C library than bookworm's.
  symlinkSync('/usr/sbin/runc', path.join(sid, 'usr/bin/runc'));
  writeFileSync(path.join(sid, 'VERSIONS'), `${lines.join('\n')}\n`);
}

function dpkgField(deb: string, field: string): string {
  return execFileSync('dpkg-deb', ['-f', deb, field], { encoding: 'utf8' }).trim();
}

function debianMirror(): string {
  const directory = '/etc/apt/sources.list.d';
  const files = ['/etc/apt/sources.list', ...readdirSync(directory).map((name) => path.join(directory, name))];
  for (const file of files.filter((name) => existsSync(name))) {
    const mirror = /https?:\/\/\S+\/debian\/?(?=\s|$)/m.exec(readFileSync(file, 'utf8'));
    if (mirror) return mirror[0];
  }
  throw new Error('bench: no Debian mirror in /etc/apt');
}

function requireInstalled(): void {
  const missing = bookwormPackages.filter((name) => installedVersion(name) === '');
  if (missing.length === 0) return;
  throw new Error(`bench: packages are missing: apt-get install --no-install-recommends ${missing.join(' ')}`);
}

function installedVersion(name: string): string {
  try {
    const form = ['-W', '-f', '${db:Status-Status} ${Version}', name];
    const [status, version = ''] = execFileSync('dpkg-query', form, { encoding: 'utf8', stdio: 'pipe' }).split(' ');
    return status === 'installed' ? version : '';
  } catch {
    // dpkg-query fails for a package it has never heard of.
    return '';
  }
}
