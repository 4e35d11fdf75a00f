import { appendFileSync, existsSync } from 'node:fs';
import { release } from 'node:os';
import type { Sample } from './measure.ts';

/** What a row measures and how far ahead it is meant to be. */
export interface Row {
  readonly title: string;
  readonly unit: 'ms' | 'MB';
  /** Best rival ÷ ours that is aimed at. */
  readonly target: number | undefined;
}

/** All rows by name; the targets are those of the design. */
export const rows: Readonly<Record<string, Row>> = {
  'run-none': { title: '`docker run --rm --network none IMAGE true`', unit: 'ms', target: 132 / 75 },
  'run-bridge': { title: '`docker run --rm IMAGE true`', unit: 'ms', target: 283 / 85 },
  'run-port': { title: '`docker run --rm -p 127.0.0.1:0:80 IMAGE true`', unit: 'ms', target: 358 / 85 },
  'cycle-none': { title: 'API create, start, wait, remove; no network', unit: 'ms', target: 164 / 16 },
  'cycle-bridge': { title: 'API create, start, wait, remove; bridge', unit: 'ms', target: 250 / 24 },
  'exec-client': { title: '`docker exec CONTAINER true`', unit: 'ms', target: undefined },
  'exec-api': { title: 'API exec create, start to the end', unit: 'ms', target: 3 },
  'memory-idle': { title: 'memory of the idle engine (PSS)', unit: 'MB', target: 168 / 130 },
  'memory-container': { title: 'memory per running container (PSS)', unit: 'MB', target: 5.6 / 0.3 },
  'list-images': { title: 'API list of 101 images', unit: 'ms', target: 179 / 5 },
  'list-containers': { title: 'API list of 50 containers', unit: 'ms', target: undefined },
  pull: { title: '`docker pull` of the large image', unit: 'ms', target: 20.6 / 3 },
  diff: { title: '`docker diff` of 5,000 files and 200 MB on it', unit: 'ms', target: 0.43 / 0.1 },
  commit: { title: '`docker commit` of that', unit: 'ms', target: 3.7 / 1 },
  rmi: { title: '`docker rmi` of the large image', unit: 'ms', target: undefined },
};

/** Where and with what a run was made. */
export interface Circumstances {
  readonly date: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly largeImage: string;
}

/** Returns the summary of a run as Markdown. */
export function summarize(samples: readonly Sample[], circumstances: Circumstances): string {
  const names = Object.keys(circumstances.versions);
  const rivals = names.filter((name) => name !== 'slipway');
  const loads = samples.map(({ load }) => load);
  const lines = [
    `## ${circumstances.date}`,
    '',
    `Linux ${release()}; ${names.map((name) => `${name} ${circumstances.versions[name]}`).join(', ')}; large image: ${circumstances.largeImage}; load 1 min: median ${shown(quantile(loads, 0.5))}, highest ${shown(Math.max(...loads))}.`,
    '',
    `| Row | n | ${names.map((name) => `${name} median / p95`).join(' | ')} | best rival ÷ ours | target | met |`,
    `| --- | --- | ${names.map(() => '---').join(' | ')} | --- | --- | --- |`,
  ];
  for (const [name, { title, unit, target }] of Object.entries(rows)) {
    const of = (subject: string): number[] =>
      samples.filter((sample) => sample.row === name && sample.subject === subject).map(({ value }) => value);
    const ours = of('slipway');
    if (ours.length === 0) continue;
    const cells = names.map((subject) => {
      const values = of(subject);
      return values.length === 0 ? '–' : `${shown(quantile(values, 0.5))} / ${shown(quantile(values, 0.95))} ${unit}`;
    });
    const medians = rivals
      .map(of)
      .filter((values) => values.length > 0)
      .map((values) => quantile(values, 0.5));
    const ratio = Math.min(...medians) / quantile(ours, 0.5);
    const verdict = target === undefined ? '–' : ratio >= target ? 'yes' : 'no';
    lines.push(
      `| ${title} | ${ours.length} | ${cells.join(' | ')} | ${medians.length === 0 ? '–' : shown(ratio)} | ${target === undefined ? '–' : shown(target)} | ${verdict} |`,
    );
  }
  return `${lines.join('\n')}\n`;
}

const head = `# Measurements

Made by \`npm run bench\`: rivals from Debian's packages and Slipway in one run, in turns, each on a fresh ext4 of its own, in network and mount namespaces of its own, with a registry on its own loopback; caches warm. A row is met when the best rival's median divided by ours reaches the target.

`;

/** Adds a summary to the results. */
export function append(file: string, summary: string): void {
  if (!existsSync(file)) appendFileSync(file, head);
  else appendFileSync(file, '\n');
  appendFileSync(file, summary);
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

function shown(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
