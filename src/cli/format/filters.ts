/** Returns `--filter` values as the API takes them: JSON of lists by name; `undefined` when there are none. */
export function encodeFilters(values: readonly string[]): string | undefined {
  const filters: Record<string, Record<string, boolean>> = {};
  for (const value of values) {
    if (value === '') continue;
    const equals = value.indexOf('=');
    const name = value.slice(0, equals).trim().toLowerCase();
    (filters[name] ??= {})[value.slice(equals + 1).trim()] = true;
  }
  return Object.keys(filters).length === 0 ? undefined : JSON.stringify(filters);
}
