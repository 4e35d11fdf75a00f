import { createHash } from 'node:crypto';
import { EngineError } from '../../base/errors.ts';

declare const digestBrand: unique symbol;

/** A checked content digest, `algorithm:encoded` (OCI image-spec, descriptor.md, Digests). */
export type Digest = string & { readonly [digestBrand]: true };

/** The algorithms that content can be checked with. */
export type DigestAlgorithm = 'sha256' | 'sha512';

const encodedLength: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha512: 128 };

/** Returns the digest in `text`, or `undefined` when it is malformed or its algorithm unknown. */
export function tryParseDigest(text: string): Digest | undefined {
  const match = /^(sha256|sha512):([a-f0-9]+)$/.exec(text);
  if (!match) return undefined;
  return match[2]?.length === encodedLength[match[1] as DigestAlgorithm] ? (text as Digest) : undefined;
}

/**
 * Returns the digest in `text`.
 *
 * @throws {EngineError} invalidArgument when it is malformed or its algorithm unknown.
 */
export function parseDigest(text: string): Digest {
  const digest = tryParseDigest(text);
  if (digest === undefined) throw new EngineError('invalidArgument', `invalid digest ${JSON.stringify(text)}`);
  return digest;
}

/** Returns the sha256 digest of bytes in memory. */
export function digestOf(content: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** Returns the sha256 digest with these 64 hexadecimal digits or 32 raw bytes. */
export function digestFromHash(hash: string | Uint8Array): Digest {
  return parseDigest(`sha256:${typeof hash === 'string' ? hash : Buffer.from(hash).toString('hex')}`);
}

/** Returns the algorithm in front of the colon. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm;
}

/** Returns the hexadecimal digits behind the colon. */
export function encodedOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** Returns the chainID of a list of diffIDs (OCI image-spec, config.md, Layer ChainID); `undefined` for an empty list. */
export function chainIdOf(diffIds: readonly Digest[]): Digest | undefined {
  let chainId: Digest | undefined;
  for (const diffId of diffIds) chainId = chainId === undefined ? diffId : digestOf(`${chainId} ${diffId}`);
  return chainId;
}
