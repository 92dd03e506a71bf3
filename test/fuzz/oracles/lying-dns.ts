import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Scope } from '../../support/scope.ts';

/** A DNS server on loopback that answers with whatever bytes it is given, behind the id of the query. */
export class LyingDns {
  readonly server: string;
  #answer: (query: Buffer) => Uint8Array = () => new Uint8Array(0);

  private constructor(socket: Socket) {
    const { address, port } = socket.address();
    this.server = `${address}:${port}`;
    socket.on('message', (query, peer) => {
      const answer = Buffer.concat([query.subarray(0, 2), this.#answer(query)]);
      socket.send(answer, peer.port, peer.address);
    });
  }

  static async open(scope: Scope): Promise<LyingDns> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    scope.defer(() => new Promise<void>(resolve => socket.close(() => resolve())));
    return new LyingDns(socket);
  }

  /** From now on: `answer` makes what follows the id of the reply. */
  answerWith(answer: (query: Buffer) => Uint8Array): void {
    this.#answer = answer;
  }
}
