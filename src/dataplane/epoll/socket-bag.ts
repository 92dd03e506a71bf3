import type { InheritedSockets } from '../data-plane.ts';
import type { Endpoint } from '../wire.ts';
import type { Libc } from './libc.ts';
import { listeningAddress } from './sockets.ts';

/** A descriptor from another process; `name` is what it calls it. */
export interface ForeignSocket {
  readonly fd: number;
  readonly name: string | null;
}

/** Listening sockets that another process opened, to be taken out by those whose address they have. */
export class SocketBag {
  readonly #libc: Libc;
  readonly #areKept: boolean;
  #sockets: (ForeignSocket & { readonly address: Endpoint })[] = [];

  /** `areKept`: see InheritedSockets. Descriptors that are no listening TCP sockets are closed. */
  constructor(libc: Libc, sockets: readonly ForeignSocket[], areKept: boolean) {
    this.#libc = libc;
    this.#areKept = areKept;
    for (const socket of sockets) {
      const address = listeningAddress(libc, socket.fd);
      if (address === null) libc.close(socket.fd);
      else this.#sockets.push({ ...socket, address });
    }
  }

  /** Where the sockets listen that nobody has taken. */
  get left(): readonly Endpoint[] {
    return this.#sockets.map(({ address }) => address);
  }

  /** Takes out the sockets with this name or, where none has it, at this address. Null: there are none. */
  take(name: string, { ip, port }: Endpoint): InheritedSockets | null {
    const isNamed = this.#sockets.some(socket => socket.name === name);
    const taken = this.#sockets.filter(({ address, ...socket }) =>
      isNamed ? socket.name === name : address.port === port && address.ip.equals(ip),
    );
    if (taken.length === 0) return null;
    this.#sockets = this.#sockets.filter(socket => !taken.includes(socket));
    return { fds: taken.map(({ fd }) => fd), areKept: this.#areKept };
  }

  /** Closes what nobody has taken. */
  close(): void {
    for (const { fd } of this.#sockets) this.#libc.close(fd);
    this.#sockets = [];
  }
}
