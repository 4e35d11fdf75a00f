// Where the project's own Node is. Parses on Node 18: this file runs before Node 26 is there.
import { existsSync } from 'node:fs';
import path from 'node:path';

/** Returns the path of the Node that package.json pins. */
export function nodeBinary(root) {
  const file = path.join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
  if (!existsSync(file)) throw new Error(`${file} is missing: run "npm run setup"`);
  return file;
}
