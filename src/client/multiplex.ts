import { EngineError } from '../base/errors.ts';

/** A piece of a container's output. */
export interface OutputPiece {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

const headerBytes = 8;

/**
 * Takes frames apart as they come, without waiting for a frame to be whole: header of eight bytes (stream, three zeros, length in big
 * endian), then the payload.
 *
 * @throws {EngineError} unavailable for an unknown stream, or with the engine's words for a frame of errors.
 */
export async function* demultiplex(source: AsyncIterable<Buffer>): AsyncGenerator<OutputPiece, void, void> {
  let header: Buffer = Buffer.alloc(0);
  let stream = 0;
  let left = 0;
  const failure: Buffer[] = [];
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      if (left === 0) {
        const wanted = headerBytes - header.length;
        header = Buffer.concat([header, chunk.subarray(at, at + wanted)]);
        at += wanted;
        if (header.length < headerBytes) break;
        stream = header[0] ?? 0;
        left = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        if (stream > 3) throw new EngineError('unavailable', `Unrecognized input header: ${stream}`);
        continue;
      }
      const bytes = chunk.subarray(at, at + left);
      at += bytes.length;
      left -= bytes.length;
      if (stream === 3) failure.push(bytes);
      else yield { stream: stream === 2 ? 'stderr' : 'stdout', bytes };
    }
  }
  if (failure.length > 0) {
    throw new EngineError('unavailable', `error from daemon in stream: ${Buffer.concat(failure).toString()}`);
  }
}
