/**
 * `npm run conformance`: programs of others judge the Hub. They come as Go modules, pinned, and are installed into a folder that is
 * kept (SLIPWAY_JUDGES_DIR). Where there is no `go` it says so and exits with 3: nothing was judged.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { createHub } from '../../src/hub/hub.ts';
import { runCommand } from '../harness/command.ts';
import { openSeededHub } from '../crash/seeded-hub.ts';

const judges: Readonly<Record<string, string>> = {
  conformance: 'github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111',
  crane: 'github.com/google/go-containerregistry/cmd/crane@v0.22.1',
  regctl: 'github.com/regclient/regclient/cmd/regctl@v0.11.7',
};

const folder = process.env['SLIPWAY_JUDGES_DIR'] ?? '/var/tmp/slipway-judges';
const work = await mkdtemp('/var/tmp/slipway-conformance-');
let failed = 0;

installJudges();
try {
  for (const version of ['1.1', 'dev']) await judgeSpecification(version);
  await judgeClients();
} finally {
  await rm(work, { recursive: true, force: true });
}
console.log(failed === 0 ? 'conformance: everything passed' : `conformance: ${failed} FAILED`);
process.exit(failed === 0 ? 0 : 1);

function installJudges(): void {
  mkdirSync(folder, { recursive: true });
  const missing = Object.entries(judges).filter(([name]) => !existsSync(path.join(folder, name)));
  if (missing.length === 0) return;
  if (spawnSync('go', ['version']).status !== 0) {
    console.error(
      `conformance: NOTHING WAS JUDGED: no go on this machine to install ${missing.map(([name]) => name).join(', ')}`,
    );
    process.exit(3);
  }
  for (const [name, module] of missing) {
    console.log(`conformance: installing ${name}`);
    const { status } = spawnSync('go', ['install', module], {
      env: { ...process.env, GOBIN: folder },
      stdio: 'inherit',
    });
    if (status !== 0) throw new Error(`go install ${module} exits with ${status}`);
  }
}

function count(report: string, status: string): number {
  return report.match(new RegExp(`<testcase [^>]*status="${status}"`, 'g'))?.length ?? 0;
}

/** The OCI distribution-spec's own program against a fresh Hub. */
async function judgeSpecification(version: string): Promise<void> {
  const results = path.join(work, `results-${version}`);
  mkdirSync(results);
  await using hub = await createHub({ dataRoot: path.join(work, `hub-${version}`), listen: '127.0.0.1:0' });
  await runCommand(path.join(folder, 'conformance'), [], {
    timeoutMs: 600_000,
    env: {
      ...process.env,
      OCI_REGISTRY: hub.address,
      OCI_TLS: 'disabled',
      OCI_VERSION: version,
      OCI_RESULTS_DIR: results,
      OCI_REPO1: 'conformance/one',
      OCI_REPO2: 'conformance/two',
    },
  });
  const report = readFileSync(path.join(results, 'junit.xml'), 'utf8');
  const wrong = count(report, 'failure') + count(report, 'error');
  console.log(
    `OCI distribution-spec ${version}: ${count(report, 'passed')} passed, ${wrong} failed, ${count(report, 'skipped') + count(report, 'disabled')} skipped`,
  );
  if (wrong > 0 || count(report, 'passed') === 0) failed++;
}

/** Other people's clients copy and list; digests must stay. */
async function judgeClients(): Promise<void> {
  await using hub = await openSeededHub(path.join(work, 'clients'));
  const name = `${hub.address}/library/busybox:latest`;
  const crane = (...args: readonly string[]): Promise<string> => succeed('crane', ['--insecure', ...args]);
  const regctl = (...args: readonly string[]): Promise<string> =>
    succeed('regctl', ['--host', `reg=${hub.address},tls=disabled`, ...args]);
  const checks: readonly (readonly [string, () => Promise<boolean>])[] = [
    [
      'crane copies with the same digest',
      async () => {
        await crane('copy', name, `${hub.address}/me/crane:1`);
        return (await crane('digest', name)) === (await crane('digest', `${hub.address}/me/crane:1`));
      },
    ],
    ['crane lists tags', async () => (await crane('ls', `${hub.address}/me/crane`)) === '1'],
    ['crane validates the image', async () => (await crane('validate', '--remote', name)).includes('PASS')],
    [
      'regctl copies with the same digest',
      async () => {
        await regctl('image', 'copy', name, `${hub.address}/me/regctl:1`);
        return (
          (await regctl('image', 'digest', name)) === (await regctl('image', 'digest', `${hub.address}/me/regctl:1`))
        );
      },
    ],
    ['regctl lists tags', async () => (await regctl('tag', 'ls', `${hub.address}/me/regctl`)) === '1'],
  ];
  for (const [label, check] of checks) {
    let passed = false;
    try {
      passed = await check();
    } catch (error) {
      console.log(error instanceof Error ? error.message : String(error));
    }
    console.log(`${passed ? 'ok  ' : 'FAIL'} ${label}`);
    if (!passed) failed++;
  }
}

async function succeed(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(path.join(folder, program), args, { timeoutMs: 60_000 });
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} exits with ${code}: ${stderr}`);
  return `${stdout}${program === 'crane' && args.includes('validate') ? stderr : ''}`.trim();
}
