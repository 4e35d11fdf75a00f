/** How columns are laid out: cells are at least `minimum` wide, `padding` included. */
export interface ColumnLayout {
  readonly minimum: number;
  readonly padding: number;
}

/** The layout of docker's tables. */
export const tableLayout: ColumnLayout = { minimum: 10, padding: 3 };

/**
 * Aligns text whose cells end in tabs. As in Go's tabwriter a column is as wide as the widest of its cells in neighbouring lines; what
 * follows the last tab of a line belongs to no column.
 */
export function tabulate(text: string, layout: ColumnLayout = tableLayout): string {
  const rows = text.split('\n').map((line) => line.split('\t'));
  const widths: number[][] = rows.map((cells) => cells.map(() => 0));
  for (let column = 0; rows.some((cells) => cells.length > column + 1); column++) {
    for (let from = 0; from < rows.length; from++) {
      if ((rows[from]?.length ?? 0) <= column + 1) continue;
      let to = from;
      let width = layout.minimum;
      for (; (rows[to]?.length ?? 0) > column + 1; to++) {
        width = Math.max(width, Array.from(rows[to]?.[column] ?? '').length + layout.padding);
      }
      for (let row = from; row < to; row++) (widths[row] ?? [])[column] = width;
      from = to;
    }
  }
  return rows.map((cells, row) => layOut(cells, widths[row] ?? [])).join('\n');
}

function layOut(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - Array.from(cell).length)))
    .join('');
}
