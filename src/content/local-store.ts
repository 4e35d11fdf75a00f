/**
 * Blobs in files:
 *
 * ```
 * ROOT/blobs/<algorithm>/<first 2 digits>/<all digits>   immutable, complete, flushed
 * ROOT/ingests/<hash of the ingest id>                   on the way in, resumable
 * ROOT/temporary/                                        for files that are adopted later; emptied by open()
 * ```
 */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, opendir, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { EngineError, isErrorCode } from '../base/errors.ts';
import { ensureDirectory, syncDirectory } from '../base/files.ts';
import { algorithmOf, encodedOf, tryParseDigest, type Digest } from '../formats/oci/digest.ts';
import type { BlobHandle, BlobInfo, ByteRange, ContentStore, Ingest } from './content-store.ts';
import { DirectorySync } from './directory-sync.ts';
import { LocalBlob } from './local-blob.ts';
import { LocalIngest, type HashState } from './local-ingest.ts';

const parkedLimit = 1000;

/** A {@link ContentStore} in a directory; see the head of this file. One process at a time writes to it. */
export class LocalContentStore implements ContentStore {
  readonly #root: string;
  readonly #held = new Set<string>();
  /** Hashes of ingests that nobody holds now, oldest first. */
  readonly #parked = new Map<string, HashState>();
  readonly #fanOut = new Map<string, Promise<string>>();
  readonly #directories = new DirectorySync();

  private constructor(root: string) {
    this.#root = root;
  }

  /** Opens the store in `root`, making it if it is not there. */
  static async open(root: string): Promise<LocalContentStore> {
    await ensureDirectory(path.join(root, 'blobs'));
    await ensureDirectory(path.join(root, 'ingests'));
    await rm(path.join(root, 'temporary'), { recursive: true, force: true });
    await ensureDirectory(path.join(root, 'temporary'));
    await syncDirectory(root);
    const store = new LocalContentStore(root);
    await store.#makeFanOut();
    return store;
  }

  /** Returns where the blob is, or would be. Its file must only be read. */
  path(digest: Digest): string {
    const encoded = encodedOf(digest);
    return path.join(this.#root, 'blobs', algorithmOf(digest), encoded.slice(0, 2), encoded);
  }

  /** Returns a fresh path on the same file system, for a file that {@link adopt} takes. Nobody else removes it before the next open. */
  temporaryPath(): string {
    return path.join(this.#root, 'temporary', randomBytes(12).toString('hex'));
  }

  async find(digest: Digest): Promise<BlobInfo | undefined> {
    try {
      return { digest, sizeBytes: (await stat(this.path(digest))).size };
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async open(digest: Digest, range?: ByteRange): Promise<BlobHandle> {
    try {
      return await LocalBlob.open(this.path(digest), digest, range);
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) throw new EngineError('notFound', `content ${digest} not found`);
      throw error;
    }
  }

  async begin(ingestId: string): Promise<Ingest> {
    const name = createHash('sha256').update(ingestId).digest('hex');
    if (this.#held.has(name)) throw new EngineError('conflict', `ingest ${ingestId} is being written`);
    this.#held.add(name);
    const file = path.join(this.#root, 'ingests', name);
    try {
      const handle = await open(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
      const sizeBytes = (await handle.stat()).size;
      const parked = this.#parked.get(name);
      this.#parked.delete(name);
      return new LocalIngest(
        handle,
        {
          publish: (digest) => this.#publish(file, digest),
          remove: () => rm(file, { force: true }),
          release: (state) => this.#release(name, state),
        },
        sizeBytes,
        parked?.offset === sizeBytes ? parked.hash : undefined,
      );
    } catch (error) {
      this.#held.delete(name);
      throw error;
    }
  }

  #release(name: string, state: HashState | undefined): void {
    this.#held.delete(name);
    if (!state) return;
    this.#parked.set(name, state);
    for (const oldest of this.#parked.keys()) {
      if (this.#parked.size <= parkedLimit) break;
      this.#parked.delete(oldest);
    }
  }

  /**
   * Takes over a finished file of this file system, whose content the caller has hashed and flushed (fsync). The file is gone
   * from its place afterwards; what `adopt` acknowledged survives a power loss.
   *
   * @throws {EngineError} failedPrecondition when its size differs.
   */
  async adopt(file: string, digest: Digest, sizeBytes: number): Promise<BlobInfo> {
    const { size } = await stat(file);
    if (size !== sizeBytes) {
      throw new EngineError('failedPrecondition', `${digest}: file to adopt has ${size} bytes, expected ${sizeBytes}`);
    }
    await this.#publish(file, digest);
    return { digest, sizeBytes };
  }

  async #publish(file: string, digest: Digest): Promise<void> {
    const target = this.path(digest);
    const directory = await this.#fanOutDirectory(path.dirname(target));
    await rename(file, target);
    await this.#directories.sync(directory);
  }

  /** Makes the directories of sha256 blobs at once: later each would cost its first blob two flushes. */
  async #makeFanOut(): Promise<void> {
    const parent = await ensureDirectory(path.join(this.#root, 'blobs', 'sha256'));
    const prefixes = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'));
    const present = new Set(await readdir(parent));
    const directories = prefixes.map((prefix) => path.join(parent, prefix));
    const missing = directories.filter((directory) => !present.has(path.basename(directory)));
    await Promise.all(missing.map((directory) => mkdir(directory, { mode: 0o700 })));
    if (missing.length > 0) {
      await syncDirectory(parent);
      await syncDirectory(path.dirname(parent));
    }
    for (const directory of directories) this.#fanOut.set(directory, Promise.resolve(directory));
  }

  /** Makes a directory of blobs, durably, once. */
  #fanOutDirectory(directory: string): Promise<string> {
    let made = this.#fanOut.get(directory);
    if (!made) {
      made = (async (): Promise<string> => {
        await mkdir(directory, { recursive: true, mode: 0o700 });
        await this.#directories.sync(path.dirname(directory));
        await this.#directories.sync(path.join(this.#root, 'blobs'));
        return directory;
      })();
      this.#fanOut.set(directory, made);
      made.catch(() => this.#fanOut.delete(directory));
    }
    return made;
  }

  async delete(digest: Digest): Promise<boolean> {
    try {
      await unlink(this.path(digest));
      return true;
    } catch (error) {
      if (isErrorCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  async *walk(): AsyncIterable<BlobInfo> {
    for await (const algorithm of directoriesIn(path.join(this.#root, 'blobs'))) {
      for await (const prefix of directoriesIn(path.join(this.#root, 'blobs', algorithm))) {
        for await (const entry of await opendir(path.join(this.#root, 'blobs', algorithm, prefix))) {
          const digest = tryParseDigest(`${algorithm}:${entry.name}`);
          const blob = digest && (await this.find(digest));
          if (blob) yield blob;
        }
      }
    }
  }

  /** Removes ingests that nobody holds and that were last written before `before`; returns how many. */
  async removeIdleIngests(before: Date): Promise<number> {
    let removed = 0;
    for await (const entry of await opendir(path.join(this.#root, 'ingests'))) {
      if (this.#held.has(entry.name)) continue;
      const file = path.join(this.#root, 'ingests', entry.name);
      const { mtime } = await stat(file);
      if (mtime >= before || this.#held.has(entry.name)) continue;
      this.#parked.delete(entry.name);
      await rm(file, { force: true });
      removed++;
    }
    return removed;
  }
}

async function* directoriesIn(directory: string): AsyncIterable<string> {
  for await (const entry of await opendir(directory)) if (entry.isDirectory()) yield entry.name;
}
