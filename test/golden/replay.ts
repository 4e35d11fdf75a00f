/** Asks an engine the recorded questions; what differs from one run to the next is masked. */
import type { IncomingHttpHeaders } from 'node:http';
import { requestOn } from '../harness/http.ts';
import { groups, type Step } from './steps.ts';

/** An answer with ids, digests, times and addresses masked. */
export interface Recorded {
  readonly name: string;
  readonly request: string;
  readonly status: number;
  readonly contentType: string | null;
  /** A JSON document, a list of those for a stream, or text. */
  readonly body: unknown;
}

/** Asks everything, in order. */
export async function replay(socketPath: string): Promise<Readonly<Record<string, readonly Recorded[]>>> {
  const kept = new Map<string, string>([['begin', String(Date.now() / 1000)]]);
  const result: Record<string, Recorded[]> = {};
  for (const [group, steps] of Object.entries(groups)) {
    const answers: Recorded[] = [];
    for (const step of steps) answers.push(await ask(socketPath, step, kept));
    result[group] = answers;
  }
  return result;
}

async function ask(socketPath: string, step: Step, kept: Map<string, string>): Promise<Recorded> {
  kept.set('now', String(Date.now() / 1000));
  const path = step.path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => kept.get(name) ?? 'nothing');
  const { status, headers, body } = await requestOn(socketPath, step.method, path, {
    ...(step.body === undefined ? {} : { body: step.body }),
    ...(step.headers ? { headers: step.headers } : {}),
    timeoutMs: 60_000,
  }).catch((error: unknown) => ({ status: 0, headers: {} as IncomingHttpHeaders, body: String(error) }));
  const value = parseBody(body);
  if (step.discard && status === 201)
    await requestOn(socketPath, 'DELETE', `/containers/${(value as { readonly Id: string }).Id}`);
  if (step.keep !== undefined) kept.set(step.keep, (value as { readonly Id?: string }).Id ?? '');
  return {
    name: step.name,
    request: `${step.method} ${step.path}`,
    status,
    contentType: headers['content-type'] ?? null,
    body: mask(value),
  };
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not one document.
  }
  try {
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  } catch {
    return text;
  }
}

function mask(value: unknown): unknown {
  if (typeof value === 'string') return maskText(value);
  if (Array.isArray(value)) return byName(value.map(mask));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [maskText(key), mask(item)]));
}

/** Docker lists networks in no order. */
function byName(items: readonly unknown[]): readonly unknown[] {
  const name = (item: unknown): string | undefined => (item as { readonly Name?: string } | null)?.Name;
  return items.every((item) => typeof name(item) === 'string')
    ? items.toSorted((a, b) => ((name(a) ?? '') < (name(b) ?? '') ? -1 : 1))
    : items;
}

function maskText(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replaceAll(/\b[0-9a-f]{64}\b/g, '<id>')
    .replaceAll(/\b[0-9a-f]{12}\b/g, '<short id>')
    .replaceAll(/\b(?!0001)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*(Z|[+-]\d\d:\d\d)/g, '<time>')
    .replaceAll(/(\/[\w.-]+)+\/containers\/<id>\//g, '<folder>/')
    .replaceAll(/\b172\.\d+\.\d+\.\d+\b/g, '<address>')
    .replaceAll(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, '<mac>');
}
