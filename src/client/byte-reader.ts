import type { Socket } from 'node:net';
import { EngineError } from '../base/errors.ts';

const lineLimitBytes = 64 << 10;

/** Reads a socket in pieces of the caller's choosing. One reader per socket; it never ends the socket's writing side. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#chunks = socket.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  }

  /** Returns some bytes, at most `limit`; `undefined` at the end. */
  async read(limit: number = Number.POSITIVE_INFINITY): Promise<Buffer | undefined> {
    if (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done === true) return undefined;
      this.#rest = value;
    }
    const size = Math.min(limit, this.#rest.length);
    const taken = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return taken;
  }

  /**
   * Returns a line without its end.
   *
   * @throws {EngineError} unavailable when the peer stops before the end of the line, or the line is too long.
   */
  async line(): Promise<string> {
    let line = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.read();
      if (!chunk) throw new EngineError('unavailable', line.length === 0 ? 'EOF' : 'unexpected EOF');
      const end = chunk.indexOf(0x0a);
      if (end >= 0) {
        this.#rest = Buffer.concat([chunk.subarray(end + 1), this.#rest]);
        return Buffer.concat([line, chunk.subarray(0, end)])
          .toString()
          .replace(/\r$/, '');
      }
      line = Buffer.concat([line, chunk]);
      if (line.length > lineLimitBytes) throw new EngineError('unavailable', 'malformed HTTP response: line too long');
    }
  }
}
