import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One end of a TCP connection in a test: keeps what it receives, and how the other side ended. */
export class Peer {
  readonly socket: Socket;
  /** Our own port; the socket forgets it when it closes. */
  readonly port: number | undefined;
  /** Bytes received so far, whether kept or not. */
  received = 0;
  #chunks: Buffer[] = [];
  #end: 'fin' | 'reset' | null = null;
  readonly #waiting = new Set<() => void>();

  /** The socket must be half-open capable; `keep` false only counts. */
  constructor(socket: Socket, keep = true) {
    this.socket = socket;
    this.port = socket.localPort;
    socket.setNoDelay();
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.length;
      if (keep) this.#chunks.push(chunk);
      this.#changed();
    });
    socket.on('end', () => this.#ended('fin'));
    socket.on('error', () => this.#ended('reset'));
    socket.on('close', hadError => this.#ended(hadError ? 'reset' : 'fin'));
  }

  /** Connects to a port of this host, from another of its addresses where one is given. */
  static async dial(port: number, host = '127.0.0.1', localAddress = host): Promise<Peer> {
    const socket = connect({ port, host, localAddress, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Peer(socket);
  }

  /** Everything received so far. */
  get bytes(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  /** Writes and waits until the kernel has taken it. */
  send(bytes: Uint8Array | string): Promise<void> {
    return new Promise(resolve => {
      this.socket.write(bytes, () => resolve());
    });
  }

  /** Half-closes. */
  finish(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Waits for `count` bytes in all. Rejects when the other side ends before. */
  async atLeast(count: number): Promise<Buffer> {
    await this.#until(() => this.received >= count || this.#end !== null);
    if (this.received < count)
      throw new Error(`${this.#end} after ${this.received} of ${count} bytes: ${this.text}`);
    return this.bytes;
  }

  /** Waits until the other side has ended, and says how. */
  async end(): Promise<'fin' | 'reset'> {
    await this.#until(() => this.#end !== null);
    return this.#end ?? 'fin';
  }

  #ended(how: 'fin' | 'reset'): void {
    if (this.#end === null || how === 'reset') this.#end = how;
    this.#changed();
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await new Promise<void>(resolve => this.#waiting.add(resolve));
    }
  }

  #changed(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
