import { isLayerType } from '../../formats/oci/media-types.ts';
import type { CopyProgress } from '../../graph/copy-graph.ts';
import type { LayerProgress } from '../../image/pull.ts';

/** Returns a layer's progress as a line of a pull (JSONMessage). */
export function pullLine(id: string, { phase, currentBytes, descriptor }: LayerProgress): object {
  switch (phase) {
    case 'waiting':
      return { status: 'Pulling fs layer', progressDetail: {}, id };
    case 'exists':
      return { status: 'Already exists', progressDetail: {}, id };
    case 'downloading':
      return withBar('Downloading', id, currentBytes, descriptor.size);
    case 'downloaded':
      return { status: 'Download complete', progressDetail: { hidecounts: true }, id };
    case 'extracting':
      return withBar('Extracting', id, currentBytes, descriptor.size);
    case 'complete':
      return { status: 'Pull complete', progressDetail: { hidecounts: true }, id };
  }
}

/** Returns a blob's progress as a line of a push; docker shows layers only. */
export function pushLine(
  id: string,
  { phase, currentBytes, descriptor, mountedFrom }: CopyProgress,
): object | undefined {
  if (!isLayerType(descriptor.mediaType)) return undefined;
  switch (phase) {
    case 'waiting':
      return { status: 'Waiting', progressDetail: {}, id };
    case 'transferring':
    case 'verifying':
      return withBar('Pushing', id, currentBytes, descriptor.size);
    case 'exists':
      return { status: 'Layer already exists', progressDetail: {}, id };
    case 'mounted':
      return { status: `Mounted from ${mountedFrom ?? ''}`, progressDetail: {}, id };
    case 'done':
      return { status: 'Pushed', progressDetail: {}, id };
  }
}

function withBar(status: string, id: string, current: number, total: number): object {
  return {
    status,
    progressDetail: { ...(current > 0 ? { current } : {}), total },
    progress: progressBar(current, total),
    id,
  };
}

const barWidth = 50;

/** Returns docker's bar: `[====>      ]  1.2MB/3.4MB`. */
export function progressBar(current: number, total: number): string {
  const share = total > 0 ? Math.min(1, current / total) : 0;
  const filled = Math.floor(share * barWidth);
  const bar =
    filled >= barWidth ? `${'='.repeat(barWidth)}>` : `${'='.repeat(filled)}>${' '.repeat(barWidth - filled)}`;
  return `[${bar}] ${sizeText(current).padStart(8)}/${sizeText(total)}`;
}

/** Returns a size with four significant digits and decimal units: `1.084MB`. */
export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit] ?? ''}`;
}
