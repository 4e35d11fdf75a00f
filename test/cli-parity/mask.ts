/** What differs from one run to the next. */
export interface Places {
  readonly hub: string;
  readonly directory: string;
  readonly socket: string;
}

/** Whether the width of columns is compared. Masked values do not keep it. */
export type Columns = 'exact columns' | 'any columns';

const masks: readonly (readonly [RegExp, string])[] = [
  // The program's own name.
  [/\bdocker(?=[ :'])/g, 'slipway'],
  [/\b[0-9a-f]{64}\b/g, '<id>'],
  [/\b[0-9a-f]{12}\b/g, '<short id>'],
  [/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, '<time>'],
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} \w+/g, '<time>'],
  [/(Less than a second|About an? \w+|\d+ (second|minute|hour|day)s?)( ago)?/g, '<elapsed>'],
  [/\b\d+(\.\d+)?(B|kB|MB|GB)\b/g, '<size>'],
  [/\bsize: \d+/g, 'size: <bytes>'],
  [/^(root +)\d+( +)\d+( +\d+ +)\d\d:\d\d( .*)\d\d:\d\d:\d\d/gm, '$1<pid>$2<ppid>$3<start>$4<time>'],
  [/^ *\d+ +(?=\w+$)/gm, '<pid> '],
  // Layers arrive in parallel: how far each one is when is not said.
  [
    /^<short id>: (Pulling fs layer|Waiting|Downloading|Verifying Checksum|Download complete|Extracting|Pushing|Preparing)\n/gm,
    '',
  ],
  [/\b[a-z]+_[a-z]+\b(?=$|\n|")/g, '<name>'],
];

/** Masks what may differ between two runs of the same line: ids, times, sizes, the program's name. */
export function mask(text: string, { hub, directory, socket }: Places, columns: Columns): string {
  let masked = text.replaceAll(hub, '<hub>').replaceAll(directory, '<directory>').replaceAll(socket, '<socket>');
  for (const [pattern, replacement] of masks) masked = masked.replace(pattern, replacement);
  return columns === 'exact columns' ? masked : masked.replace(/ {2,}/g, '  ').replace(/ +$/gm, '');
}
