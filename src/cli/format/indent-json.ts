/**
 * Indents JSON as Go's `json.Indent` does: values and the order of keys stay byte for byte, which reading and writing them would not
 * guarantee. The text must be valid JSON.
 */
export function indentJson(json: string, indent = '    ', prefix = ''): string {
  let depth = 0;
  const newline = (): string => `\n${prefix}${indent.repeat(depth)}`;
  let result = '';
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    if (/^[{[]\s*[}\]]$/.test(token)) result += (token[0] ?? '') + (token.at(-1) ?? '');
    else if (token === '{' || token === '[') {
      depth++;
      result += token + newline();
    } else if (token === '}' || token === ']') {
      depth--;
      result += newline() + token;
    } else if (token === ',') result += token + newline();
    else result += token === ':' ? ': ' : token;
  }
  return result;
}
