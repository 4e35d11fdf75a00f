import { messageOf } from '../base/errors.ts';
import type { Invocation } from './command.ts';
import { CommandError } from './command-error.ts';

const atOnce = 50;

/**
 * Does the same with every argument, up to 50 at once; prints what each gives, in the order of the arguments. What fails is told
 * at the end, all of it.
 *
 * @throws {CommandError} with one line per failure.
 */
export async function forEachArgument(
  { session, args }: Invocation,
  work: (argument: string) => Promise<string>,
): Promise<number> {
  const failures: string[] = [];
  for (let from = 0; from < args.length; from += atOnce) {
    const results = await Promise.allSettled(args.slice(from, from + atOnce).map(work));
    for (const result of results) {
      if (result.status === 'fulfilled') session.print(result.value);
      else failures.push(messageOf(result.reason));
    }
  }
  if (failures.length > 0) throw new CommandError(failures.join('\n'));
  return 0;
}

/** Returns the path of a container's resource. */
export function containerPath(container: string, resource = ''): string {
  return `/containers/${encodeURIComponent(container)}${resource}`;
}

/** Returns the path of an image's resource; names keep their slashes. */
export function imagePath(image: string, resource = ''): string {
  return `/images/${image.split('/').map(encodeURIComponent).join('/')}${resource}`;
}
