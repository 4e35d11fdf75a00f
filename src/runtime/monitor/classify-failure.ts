import type { RuntimeFailure } from './protocol.ts';

/**
 * Reads the cause out of what crun or runc wrote before it failed. `program` is what was to be run. The text is Docker's, from
 * `unable to start container process: ` on; the exit code is what its client shows.
 */
export function classifyFailure(runtimeText: string, program: string): RuntimeFailure {
  const { exitCode, detail } = causeOf(runtimeText, program);
  return { exitCode, runtimeText: `unable to start container process: ${detail}` };
}

function causeOf(runtimeText: string, program: string): { exitCode: 125 | 126 | 127; detail: string } {
  const text = runtimeText.trim().split('\n').at(-1) ?? '';
  const quoted = JSON.stringify(program);
  if (/executable file .* not found in \$PATH/.test(text) && !text.includes('exec: ')) {
    return program.includes('/')
      ? { exitCode: 127, detail: `exec: ${quoted}: stat ${program}: no such file or directory` }
      : { exitCode: 127, detail: `exec: ${quoted}: executable file not found in $PATH` };
  }
  // crun says EPERM for a directory, runc EACCES as the kernel does.
  if (/open executable: (Operation not permitted|Is a directory|Permission denied)/.test(text)) {
    return { exitCode: 126, detail: `exec: ${quoted}: permission denied` };
  }
  const fromRunc = /exec: .*$/.exec(text.replaceAll('\\"', '"'))?.[0].replace(/"$/, '');
  if (fromRunc !== undefined && /no such file or directory|not found/.test(fromRunc))
    return { exitCode: 127, detail: fromRunc };
  if (fromRunc !== undefined && /permission denied|is a directory/.test(fromRunc))
    return { exitCode: 126, detail: fromRunc };
  return { exitCode: 125, detail: text === '' ? 'the runtime failed without a message' : text };
}
