import { EngineError } from '../../base/errors.ts';
import { isJsonObject, type JsonObject } from '../../base/json.ts';
import { tryParseDigest, type Digest } from './digest.ts';
import { parsePlatform, type Platform } from './platform.ts';

export { isJsonObject, type JsonObject };

/** What is known of a piece of content before it is read (OCI image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly urls?: readonly string[];
  readonly artifactType?: string;
  /** Base64 of the content itself. */
  readonly data?: string;
}

/**
 * Checks a descriptor that came from outside.
 *
 * @throws {EngineError} invalidArgument naming `subject` and the field at fault.
 */
export function parseDescriptor(value: unknown, subject: string): Descriptor {
  const fail = (what: string): never => {
    throw new EngineError('invalidArgument', `${subject}: ${what}`);
  };
  if (!isJsonObject(value)) return fail('descriptor is not an object');
  const { mediaType, digest, size, platform, annotations, urls, artifactType, data } = value;
  if (typeof mediaType !== 'string') return fail('descriptor has no mediaType');
  const checked = typeof digest === 'string' ? tryParseDigest(digest) : undefined;
  if (checked === undefined) return fail(`descriptor has an invalid digest ${JSON.stringify(digest)}`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    return fail(`descriptor ${checked} has an invalid size ${JSON.stringify(size)}`);
  }
  return {
    mediaType,
    digest: checked,
    size,
    ...(isJsonObject(platform) ? { platform: parsePlatform(platform) } : {}),
    ...(isJsonObject(annotations) ? { annotations: stringMap(annotations) } : {}),
    ...(Array.isArray(urls) ? { urls: urls.filter((url) => typeof url === 'string') } : {}),
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(typeof data === 'string' ? { data } : {}),
  };
}

/** Returns the entries of a JSON object whose values are strings; keys like `__proto__` stay plain keys. */
export function stringMap(value: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
