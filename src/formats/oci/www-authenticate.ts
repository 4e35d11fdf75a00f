/** One challenge of a `WWW-Authenticate` header (RFC 9110, section 11.6.1). */
export interface AuthChallenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameterPattern = new RegExp(`\\s*,?\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))`, 'y');
const schemePattern = new RegExp(`\\s*,?\\s*(${token})(?=\\s|,|$)`, 'y');

/** Reads all challenges of a header's value; what cannot be understood ends the list. */
export function parseChallenges(header: string): readonly AuthChallenge[] {
  const challenges: AuthChallenge[] = [];
  let position = 0;
  for (;;) {
    schemePattern.lastIndex = position;
    const scheme = schemePattern.exec(header)?.[1];
    if (scheme === undefined) return challenges;
    position = schemePattern.lastIndex;
    const parameters = new Map<string, string>();
    for (;;) {
      parameterPattern.lastIndex = position;
      const match = parameterPattern.exec(header);
      if (!match) break;
      position = parameterPattern.lastIndex;
      const [, name = '', quoted, plain = ''] = match;
      parameters.set(name.toLowerCase(), quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, '$1'));
    }
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
  }
}

/** Writes one challenge, all parameters quoted. */
export function formatChallenge(scheme: string, parameters: Readonly<Record<string, string>>): string {
  const list = Object.entries(parameters).map(
    ([name, value]) => `${name}="${value.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`,
  );
  return `${scheme} ${list.join(',')}`;
}
