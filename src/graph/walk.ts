import { EngineError } from '../base/errors.ts';
import { collect } from '../base/streams.ts';
import type { Descriptor } from '../formats/oci/descriptor.ts';
import { algorithmOf } from '../formats/oci/digest.ts';
import { childrenOf, manifestLimitBytes, parseManifest, type Index, type Manifest } from '../formats/oci/manifest.ts';
import { isIndexType, isManifestType } from '../formats/oci/media-types.ts';
import { createHash } from 'node:crypto';
import type { Cancellable, Source } from './graph.ts';

/** A node of an image's graph: a manifest or index that was read and checked, or other content by its descriptor. */
export type GraphNode =
  | { readonly kind: 'blob'; readonly descriptor: Descriptor }
  | {
      readonly kind: 'document';
      readonly descriptor: Descriptor;
      readonly content: Buffer;
      readonly document: Manifest | Index;
    };

/** Chooses among the children of a manifest or index, for instance one platform; `undefined` stands for all. */
export type SelectChildren = (
  descriptor: Descriptor,
  document: Manifest | Index,
) => readonly Descriptor[] | undefined | Promise<readonly Descriptor[] | undefined>;

/** An index in an index in an index …: more levels than this are refused. */
export const depthLimit = 8;
/** An image of more nodes than this is refused. */
export const nodeLimit = 20_000;

/** Whether a descriptor names content that has children. */
export function hasChildren(descriptor: Descriptor): boolean {
  return isManifestType(descriptor.mediaType) || isIndexType(descriptor.mediaType);
}

/**
 * Reads one node. Of a manifest or index, size and digest are checked over the exact bytes before it is parsed.
 *
 * @throws {EngineError} failedPrecondition when size or digest differ, invalidArgument when the document is malformed.
 */
export async function readNode(
  source: Pick<Source, 'fetch'>,
  descriptor: Descriptor,
  options: Cancellable = {},
): Promise<GraphNode> {
  if (!hasChildren(descriptor)) return { kind: 'blob', descriptor };
  const { digest, size, mediaType } = descriptor;
  if (size > manifestLimitBytes) {
    throw new EngineError('invalidArgument', `manifest ${digest} has ${size} bytes, more than ${manifestLimitBytes}`);
  }
  const content = await collect(await source.fetch(descriptor, options), manifestLimitBytes, `manifest ${digest}`);
  if (content.length !== size) {
    throw new EngineError(
      'failedPrecondition',
      `manifest ${digest}: unexpected size ${content.length}, expected ${size}`,
    );
  }
  const algorithm = algorithmOf(digest);
  const actual = `${algorithm}:${createHash(algorithm).update(content).digest('hex')}`;
  if (actual !== digest) {
    throw new EngineError('failedPrecondition', `manifest ${digest}: unexpected digest ${actual}, expected ${digest}`);
  }
  return { kind: 'document', descriptor, content, document: parseManifest(content, mediaType, `manifest ${digest}`) };
}

/** Yields an image's nodes, parents before children, each digest once, one after the other. */
export async function* walkGraph(
  source: Pick<Source, 'fetch'>,
  root: Descriptor,
  options: Cancellable & { readonly select?: SelectChildren } = {},
): AsyncIterable<GraphNode> {
  const seen = new Set<string>();
  const open: { readonly descriptor: Descriptor; readonly depth: number }[] = [{ descriptor: root, depth: 0 }];
  for (let next = open.shift(); next; next = open.shift()) {
    const { descriptor, depth } = next;
    if (seen.has(descriptor.digest)) continue;
    seen.add(descriptor.digest);
    checkLimits(root, depth, seen.size);
    options.signal?.throwIfAborted();
    const node = await readNode(source, descriptor, options);
    yield node;
    if (node.kind === 'blob') continue;
    const children = (await options.select?.(descriptor, node.document)) ?? childrenOf(node.document);
    open.unshift(...children.map((child) => ({ descriptor: child, depth: depth + 1 })));
  }
}

/** @throws {EngineError} invalidArgument when an image is nested too deeply or has too many parts. */
export function checkLimits(root: Descriptor, depth: number, nodes: number): void {
  if (depth > depthLimit)
    throw new EngineError('invalidArgument', `${root.digest}: more than ${depthLimit} levels deep`);
  if (nodes > nodeLimit) throw new EngineError('invalidArgument', `${root.digest}: more than ${nodeLimit} parts`);
}
