const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

/** Formats bytes by thousands with `digits` significant digits: `3.11MB`. */
export function formatSize(bytes: number, digits = 4): string {
  const [value, unit] = scale(bytes, 1000, decimalUnits);
  return `${significant(value, digits)}${unit}`;
}

/** Formats bytes by 1024 with four significant digits: `23.54GiB`. */
export function formatBinarySize(bytes: number): string {
  const [value, unit] = scale(bytes, 1024, binaryUnits);
  return `${significant(value, 4)}${unit}`;
}

/**
 * Reads a size of memory: a number and `b`, `k`, `m`, `g`, `t` or `p`, all powers of 1024, optionally followed by `b` or `ib`.
 *
 * @throws {Error} saying what is wrong.
 */
export function parseByteSize(text: string): number {
  const match = /^(?<number>[0-9.]*)(?<suffix>.*)$/s.exec(text);
  const number = match?.groups?.['number'] ?? '';
  if (number === '' || !/^(\d+\.?\d*|\.\d+)$/.test(number)) throw new Error(`invalid size: '${text}'`);
  const suffix = (match?.groups?.['suffix'] ?? '').replace(/^ /, '');
  const unit = /^(?<unit>[kmgtp]?)(i?b)?$/i.exec(suffix)?.groups?.['unit'];
  if (unit === undefined || /^ib$/i.test(suffix)) throw new Error(`invalid suffix: '${suffix.toLowerCase()}'`);
  const power = unit === '' ? 0 : 'kmgtp'.indexOf(unit.toLowerCase()) + 1;
  return Math.trunc(Number(number) * 1024 ** power);
}

function scale(bytes: number, base: number, units: readonly string[]): [number, string] {
  let value = bytes;
  let step = 0;
  while (value >= base && step < units.length - 1) {
    value /= base;
    step++;
  }
  return [value, units[step] ?? ''];
}

/** Like Go's `%.4g`: significant digits, no zeros at the end, an exponent when there are too few of them. */
function significant(value: number, digits: number): string {
  const text = value.toPrecision(digits);
  if (!text.includes('e')) return String(Number(text));
  return Number(text)
    .toExponential()
    .replace(/e\+(\d)$/, 'e+0$1');
}
