/**
 * Returns the address of a worker's entry beside the calling module: `name.ts` in a checkout that runs its sources, `name.js`
 * in the built tree.
 */
export function workerUrl(name: string, callerUrl: string): URL {
  return new URL(`${name}${callerUrl.endsWith('.ts') ? '.ts' : '.js'}`, callerUrl);
}
