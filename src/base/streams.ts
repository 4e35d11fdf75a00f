import { EngineError } from './errors.ts';

/** Anything that yields bytes. */
export type ByteSource = AsyncIterable<Uint8Array>;

/**
 * Reads a whole source into memory.
 *
 * @throws {EngineError} resourceExhausted when there are more than `limitBytes`; `subject` names the source in the message.
 */
export async function collect(source: ByteSource, limitBytes: number, subject: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limitBytes) throw new EngineError('resourceExhausted', `${subject} is larger than ${limitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
