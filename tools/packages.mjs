// Debian packages: which are missing, and their installation. Parses on Node 18.
import { execFileSync, spawnSync } from 'node:child_process';

/** What running containers needs. */
export const runtimePackages = [
  'crun',
  'runc',
  'nftables',
  'iproute2',
  'isal',
  'busybox-static',
  'debootstrap',
  'libseccomp2',
  'ca-certificates',
];

/** What the tests need besides. */
export const testPackages = ['skopeo', 'umoci', 'curl', 'strace', 'e2fsprogs', 'zstd', 'util-linux'];

function isInstalled(name) {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], { encoding: 'utf8' });
  return status === 0 && stdout === 'installed';
}

/** Installs those that are missing; nothing is asked, nothing is upgraded. */
export function ensurePackages(names) {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  console.log(`installing Debian packages: ${missing.join(' ')}`);
  const options = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  try {
    execFileSync('apt-get', ['update', '-qq'], options);
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], options);
  } catch (error) {
    throw new Error(`the Debian packages ${missing.join(' ')} are needed and could not be installed`, { cause: error });
  }
}
