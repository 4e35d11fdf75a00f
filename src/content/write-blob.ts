import type { ByteSource } from '../base/streams.ts';
import { digestOf, type Digest } from '../formats/oci/digest.ts';
import { collect } from '../base/streams.ts';
import type { BlobInfo, ContentStore } from './content-store.ts';

/** Stores bytes that are in memory, durably, and returns their descriptor's digest and size. */
export async function writeBytes(store: ContentStore, content: Uint8Array): Promise<BlobInfo> {
  const digest = digestOf(content);
  const present = await store.find(digest);
  if (present) return present;
  await using ingest = await store.begin(`bytes-${digest}-${crypto.randomUUID()}`);
  await ingest.write(content);
  return await ingest.commit({ digest, sizeBytes: content.length });
}

/**
 * Reads a whole blob into memory.
 *
 * @throws {EngineError} notFound, or resourceExhausted when it is larger than `limitBytes`.
 */
export async function readBytes(store: ContentStore, digest: Digest, limitBytes: number): Promise<Buffer> {
  await using blob = await store.open(digest);
  const source: ByteSource = blob;
  return await collect(source, limitBytes, `content ${digest}`);
}
