import path from 'node:path';
import { EngineError } from '../../base/errors.ts';
import { familiarName, formatFamiliar, parseReference } from '../../formats/oci/reference.ts';
import type { ImageStore, NamedImage } from '../../image/records.ts';
import type { Filters } from '../route.ts';
import { parseTime } from '../times.ts';

/**
 * Returns the images that a list asks for.
 *
 * @throws {EngineError} invalidArgument for a value that makes no sense; notFound for an unknown `before` or `since`.
 */
export function selectImages(store: ImageStore, filters: Filters, now: Date): readonly NamedImage[] {
  const tests = [...filters].flatMap(([name, values]) => testsOf(store, name, values, now));
  return store
    .list()
    .filter((image) => tests.every((test) => test(image)))
    .map((image) => narrowNames(image, filters.get('reference')));
}

type Test = (image: NamedImage) => boolean;

function testsOf(store: ImageStore, name: string, values: readonly string[], now: Date): readonly Test[] {
  const created = (text: string): string => store.resolve(text).image.created;
  switch (name) {
    case 'dangling': {
      const wanted = booleanOf(name, values);
      return [(image) => (image.names.length === 0) === wanted];
    }
    case 'label':
      return values.map((value) => (image) => hasLabel(image, value));
    case 'label!':
      return values.map((value) => (image) => !hasLabel(image, value));
    case 'before':
      return values.map((value) => {
        const limit = created(value);
        return (image) => image.created < limit;
      });
    case 'since':
      return values.map((value) => {
        const limit = created(value);
        return (image) => image.created > limit;
      });
    case 'until':
      return values.map((value) => {
        const limit = parseTime(value, now) ?? 0n;
        return (image) => BigInt(Date.parse(image.created) || 0) * 1_000_000n < limit;
      });
    case 'reference':
      return [(image) => image.names.some((known) => values.some((pattern) => matchesReference(known, pattern)))];
    default:
      return [];
  }
}

/** Reads a filter that is true or false. @throws {EngineError} invalidArgument in docker's words */
export function booleanOf(name: string, values: readonly string[]): boolean {
  const answers = new Set(
    values.map((value) => (['1', 'true'].includes(value) ? true : ['0', 'false'].includes(value) ? false : undefined)),
  );
  const [answer] = answers;
  if (answers.size !== 1 || answer === undefined)
    throw new EngineError('invalidArgument', `invalid filter '${name}=[${values.join(' ')}]'`);
  return answer;
}

/** Whether a label is there, `key` or `key=value`. */
function hasLabel(image: NamedImage, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at < 0) return Object.hasOwn(image.labels, wanted);
  return image.labels[wanted.slice(0, at)] === wanted.slice(at + 1);
}

function matchesReference(name: string, pattern: string): boolean {
  const reference = parseReference(name);
  const { tag: _tag, digest: _digest, ...repository } = reference;
  const candidates = [formatFamiliar(reference), familiarName(repository), name];
  return candidates.some((candidate) => path.matchesGlob(candidate, pattern));
}

/** A list by reference shows the names that match only. */
function narrowNames(image: NamedImage, patterns: readonly string[] | undefined): NamedImage {
  if (!patterns) return image;
  return { ...image, names: image.names.filter((name) => patterns.some((pattern) => matchesReference(name, pattern))) };
}
