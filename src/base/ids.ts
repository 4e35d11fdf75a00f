import { randomBytes } from 'node:crypto';

/** Returns a fresh identifier: 64 lower-case hexadecimal digits, never all decimal in its first twelve (as docker's ids). */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d{12}/.test(id)) return id;
  }
}

/** Returns the twelve-digit form that people type. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
