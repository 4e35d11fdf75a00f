import type { JsonObject } from '../../base/json.ts';
import { parseReference } from '../../formats/oci/reference.ts';
import type { Command, Invocation } from '../command.ts';
import { flag } from '../flags/flag.ts';
import { ellipsis, numberOf, textOf } from '../format/fields.ts';
import { encodeFilters } from '../format/filters.ts';
import { formatList } from '../format/list.ts';
import { encodeAuth } from '../registry-auth.ts';
import { Fields } from '../template/values.ts';

/** `slipway search`. */
export const searchCommand: Command = {
  names: ['search'],
  usage: '[OPTIONS] TERM',
  summary: 'Search Docker Hub for images',
  flags: [
    flag('f', 'filter', 'filter', 'Filter output based on conditions provided'),
    flag('', 'format', 'string', 'Pretty-print search using a Go template'),
    flag('', 'limit', 'int', 'Max number of search results'),
    flag('', 'no-trunc', 'bool', "Don't truncate output"),
  ],
  count: { min: 1, max: 1 },
  run: search,
};

const headers: Readonly<Record<string, string>> = {
  Name: 'NAME',
  Description: 'DESCRIPTION',
  StarCount: 'STARS',
  IsOfficial: 'OFFICIAL',
};

const defaultTable = '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}';

async function search({ session, flags, args: [term = ''] }: Invocation): Promise<number> {
  const registry = registryOf(term);
  const auth = encodeAuth(registry, await (await session.config()).credentials(registry));
  const query = { term, limit: flags.number('limit'), filters: encodeFilters(flags.list('filter')) };
  const results = await session.engine.list('/images/search', { query, headers: { 'X-Registry-Auth': auth } });
  const whole = flags.bool('no-trunc');
  const rows = results.map((result) => rowOf(result, whole));
  session.print(formatList({ format: flags.string('format') || 'table', defaultTable, headers, rows }));
  return 0;
}

function registryOf(term: string): string {
  try {
    return parseReference(term).registry;
  } catch {
    // What is searched for need not be a name.
    return 'docker.io';
  }
}

function rowOf(result: JsonObject, whole: boolean): Fields {
  const description = textOf(result['description']).replace(/[\n\r]/g, ' ');
  return new Fields('*registry.searchContext', {
    Name: textOf(result['name']),
    Description: whole ? description : ellipsis(description, 45),
    StarCount: String(numberOf(result['star_count'])),
    IsOfficial: result['is_official'] === true ? '[OK]' : '',
    IsAutomated: result['is_automated'] === true ? '[OK]' : '',
  });
}
