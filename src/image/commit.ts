import { readdir } from 'node:fs/promises';
import { EngineError } from '../base/errors.ts';
import { parseImageConfig, type RunConfig } from '../formats/oci/config.ts';
import { parseManifest } from '../formats/oci/manifest.ts';
import { mediaTypes } from '../formats/oci/media-types.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Digest } from '../formats/oci/digest.ts';
import type { Reference } from '../formats/oci/reference.ts';
import type { Hold } from '../gc/references.ts';
import { readConfig, readManifest, writeDocument, type ImageContext } from './context.ts';
import { editConfig, editManifest, type AddedLayer } from './edit.ts';
import { imageRecord } from './pull.ts';

/** What to make an image of. */
export interface CommitRequest {
  /** The image below: its name's target and the manifest in it. */
  readonly base: { readonly digest: Digest; readonly manifest: Descriptor };
  /** The writable directory. */
  readonly upperDirectory: string;
  readonly config: RunConfig;
  readonly author: string;
  readonly comment: string;
  /** The command that ran, for the history. */
  readonly createdBy: string;
  readonly reference?: Reference;
  readonly actor: string;
  readonly signal?: AbortSignal;
}

/**
 * Makes an image of what a writable directory changed: one new layer, packed and compressed in one pass, on top of the base's.
 * Durable when it settles; its manifest is final, so that a push is a copy. Cost follows the change, not the image.
 */
export async function commitImage(context: ImageContext, request: CommitRequest): Promise<Descriptor> {
  const { base, signal } = request;
  const manifest = await readManifest(context, base.manifest);
  if (manifest.kind === 'index')
    throw new EngineError('internal', `${base.manifest.digest} is an index, expected a manifest`);
  const config = await readConfig(context, manifest.config.digest);
  using hold = context.holds.begin();
  const layer = await packLayer(context, request, hold, signal);
  const created = context.clock.now().toISOString();
  const edited = editConfig(config, {
    created,
    author: request.author,
    config: request.config,
    history: {
      created,
      created_by: request.createdBy,
      ...(request.author === '' ? {} : { author: request.author }),
      ...(request.comment === '' ? {} : { comment: request.comment }),
    },
    ...(layer ? { layer } : {}),
  });
  const configBlob = await writeDocument(context, edited);
  const manifestBytes = editManifest(manifest, configBlob, layer);
  const manifestBlob = await writeDocument(context, manifestBytes);
  const descriptor: Descriptor = { mediaType: mediaTypes.ociManifest, ...manifestBlob };
  const editedManifest = parseManifest(manifestBytes, descriptor.mediaType);
  if (editedManifest.kind === 'index') throw new EngineError('internal', 'a commit made an index');
  const record = await imageRecord(context, descriptor, descriptor, editedManifest, parseImageConfig(edited));
  const blobs = [descriptor, editedManifest.config, ...editedManifest.layers].map(({ digest }) => digest);
  await context.store.put(
    { ...record, parent: base.digest },
    [
      ...[...new Set(blobs)].map((target) => ({ kind: 'blob', target }) as const),
      ...[...new Set(record.diffIds)].map((target) => ({ kind: 'layer', target }) as const),
    ],
    request.reference && {
      reference: request.reference,
      verb: 'commit',
      actor: request.actor,
      time: context.clock.now(),
      message: request.comment,
    },
  );
  return descriptor;
}

async function packLayer(
  context: ImageContext,
  { upperDirectory }: CommitRequest,
  hold: Hold,
  signal: AbortSignal | undefined,
): Promise<AddedLayer | undefined> {
  if ((await readdir(upperDirectory)).length === 0) return undefined;
  const packed = await context.layers.pack(upperDirectory, { compression: 'gzip', ...(signal ? { signal } : {}) });
  await hold.keep({ kind: 'layer', target: packed.diffId }, { kind: 'blob', target: packed.blob.digest });
  const { file, digest, sizeBytes, mediaType } = packed.blob;
  await context.content.adopt(file, digest, sizeBytes);
  return { descriptor: { mediaType, digest, size: sizeBytes }, diffId: packed.diffId };
}
