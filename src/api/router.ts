import type { Route } from './route.ts';

interface Compiled {
  readonly route: Route;
  readonly pattern: RegExp;
}

/** Finds the route of a method and path. Names of images may hold slashes: `{name...}` takes them. */
export class Router {
  readonly #byMethod: ReadonlyMap<string, readonly Compiled[]>;

  constructor(routes: readonly Route[]) {
    this.#byMethod = Map.groupBy(
      routes.map((route) => ({ route, pattern: compile(route.path) })),
      ({ route }) => route.method,
    );
  }

  match(
    method: string,
    path: string,
  ): { readonly route: Route; readonly params: Readonly<Record<string, string>> } | undefined {
    for (const { route, pattern } of this.#byMethod.get(method) ?? []) {
      const groups = pattern.exec(path)?.groups;
      if (!groups) continue;
      return {
        route,
        params: Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decode(value)])),
      };
    }
    return undefined;
  }
}

function compile(path: string): RegExp {
  const source = path
    .replaceAll(/[.+*?^$()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/\{(\w+)\\\.\\\.\\\.\}/g, '(?<$1>.+)')
    .replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  // An empty group makes `groups` an object also where the path names nothing.
  return new RegExp(`^${source}$(?<__>)`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not an encoding: the text as it stands is the name, and no such thing will be found.
    return text;
  }
}
