import type { Descriptor } from '../formats/oci/descriptor.ts';
import type { Reference } from '../formats/oci/reference.ts';
import { copyGraph, type CopyProgress } from '../graph/copy-graph.ts';
import type { Target } from '../graph/graph.ts';
import { readManifest, type ImageContext } from './context.ts';
import type { NamedImage } from './records.ts';

/** What to push, and whom to tell. */
export interface PushRequest {
  readonly image: NamedImage;
  readonly reference: Reference;
  readonly target: Target;
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal?: AbortSignal;
}

/** What was pushed: the whole image, or only the platform that is here. */
export interface PushResult {
  readonly descriptor: Descriptor;
  readonly partOf?: Descriptor;
}

/** Copies an image to a registry and gives it its name there. Content that is there already is not sent. */
export async function pushImage(context: ImageContext, request: PushRequest): Promise<PushResult> {
  const { image, reference, target, onProgress, signal } = request;
  using hold = context.holds.begin();
  const whole = await isWhole(context, image.descriptor);
  const { platform: _platform, ...manifest } = image.manifest;
  const root = whole ? image.descriptor : manifest;
  await hold.keep({ kind: 'blob', target: root.digest });
  await copyGraph(context.graph, target, root, {
    ...(onProgress ? { onProgress } : {}),
    ...(signal ? { signal } : {}),
  });
  await target.tag(root, reference.tag ?? 'latest', signal ? { signal } : {});
  return whole ? { descriptor: root } : { descriptor: root, partOf: image.descriptor };
}

/** Whether every manifest that an index names is here. */
async function isWhole(context: ImageContext, root: Descriptor): Promise<boolean> {
  const document = await readManifest(context, root);
  if (document.kind === 'manifest') return true;
  for (const { digest } of document.manifests) if (!(await context.content.find(digest))) return false;
  return true;
}
