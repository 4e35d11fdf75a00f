import { createSocket, type Socket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { EngineError, isErrorCode } from '../base/errors.ts';
import type { PortRequest, PublishedPort } from './container-network.ts';

/**
 * Holds the host's side of published ports, so that no other program takes them: a listening socket for TCP (one that is bound
 * only holds nothing against SO_REUSEADDR), a bound one for UDP. Packets never get there: they are translated before.
 */
export class PortHolder {
  readonly #held = new Map<
    string,
    { readonly address: string; readonly port: number; readonly close: () => Promise<void> }
  >();
  #nextRandom: number | undefined;

  /**
   * Takes a port, the wanted one or a free one.
   *
   * @throws {EngineError} unavailable in docker's words when it is taken, by a container or by another program.
   */
  async take(request: PortRequest): Promise<PublishedPort> {
    const { protocol, containerPort } = request;
    const hostAddress = request.hostAddress === '' ? '0.0.0.0' : request.hostAddress;
    const { hostPort } = request;
    if (hostPort === undefined)
      return { protocol, containerPort, hostAddress, hostPort: await this.#takeAny(protocol, hostAddress) };
    const last = request.hostPortEnd ?? hostPort;
    for (let port = hostPort; ; port++) {
      try {
        await this.#hold(protocol, hostAddress, port);
        return { protocol, containerPort, hostAddress, hostPort: port };
      } catch (error) {
        if (port >= last) throw error;
      }
    }
  }

  async #takeAny(protocol: PortRequest['protocol'], address: string): Promise<number> {
    const [first = 32_768, last = 60_999] = (await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'))
      .split(/\s+/)
      .map(Number);
    const count = last - first + 1;
    const begin = this.#nextRandom ?? first;
    for (let step = 0; step < count; step++) {
      const port = first + ((begin - first + step) % count);
      try {
        await this.#hold(protocol, address, port);
        this.#nextRandom = port + 1;
        return port;
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
      }
    }
    throw new EngineError('unavailable', 'all ports are allocated');
  }

  async #hold(protocol: PortRequest['protocol'], address: string, port: number): Promise<void> {
    if (this.#conflicts(protocol, address, port)) {
      throw new EngineError('unavailable', `Bind for ${address}:${port} failed: port is already allocated`);
    }
    const key = keyOf(protocol, address, port);
    // Reserved before the first wait, so that two takers cannot both pass.
    this.#held.set(key, { address, port, close: () => Promise.resolve() });
    try {
      const close =
        protocol === 'tcp'
          ? await listen(address, port)
          : protocol === 'udp'
            ? await bind(address, port)
            : (): Promise<void> => Promise.resolve();
      this.#held.set(key, { address, port, close });
    } catch (error) {
      this.#held.delete(key);
      if (isErrorCode(error, 'EADDRINUSE')) {
        throw new EngineError(
          'unavailable',
          `failed to bind host port ${address}:${port}/${protocol}: address already in use`,
          { cause: error },
        );
      }
      if (isErrorCode(error, 'EADDRNOTAVAIL', 'EACCES')) {
        throw new EngineError(
          'unavailable',
          `failed to bind host port ${address}:${port}/${protocol}: cannot assign requested address`,
          { cause: error },
        );
      }
      throw error;
    }
  }

  /** A port on every address conflicts with the same on any address. */
  #conflicts(protocol: string, address: string, port: number): boolean {
    const any = '0.0.0.0';
    if (this.#held.has(keyOf(protocol, address, port)) || this.#held.has(keyOf(protocol, any, port))) return true;
    return (
      address === any &&
      [...this.#held.entries()].some(([key, held]) => held.port === port && key.startsWith(`${protocol} `))
    );
  }

  /** Takes a port of a container that was running before; false when another program has taken it meanwhile. */
  async retake({ protocol, hostAddress, hostPort }: PublishedPort): Promise<boolean> {
    try {
      await this.#hold(protocol, hostAddress, hostPort);
      return true;
    } catch (error) {
      if (error instanceof EngineError) return false;
      throw error;
    }
  }

  async release({ protocol, hostAddress, hostPort }: PublishedPort): Promise<void> {
    const key = keyOf(protocol, hostAddress, hostPort);
    const held = this.#held.get(key);
    this.#held.delete(key);
    await held?.close();
  }

  async releaseAll(): Promise<void> {
    const all = [...this.#held.values()];
    this.#held.clear();
    await Promise.all(all.map(({ close }) => close()));
  }
}

function keyOf(protocol: string, address: string, port: number): string {
  return `${protocol} ${address} ${port}`;
}

function listen(host: string, port: number): Promise<() => Promise<void>> {
  const server: Server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 1, exclusive: true }, () => {
      server.unref();
      resolve(() => new Promise((closed) => server.close(() => closed())));
    });
  });
}

function bind(address: string, port: number): Promise<() => Promise<void>> {
  const socket: Socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.unref();
      resolve(() => new Promise((closed) => socket.close(() => closed())));
    });
  });
}
