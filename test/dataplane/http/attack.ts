import { expect } from 'vitest';
import { Scope } from '../../support/scope.ts';
import { Upstream } from '../../support/upstream.ts';
import { HttpRig } from './rig.ts';

export const EVIL = 'GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const HEAD_END = /\r\n\r\n/g;

/** What became of an attack. */
export interface Outcome {
  /** All that any upstream was sent, one text a connection. */
  readonly upstream: readonly string[];
  /** Status codes of the answers. */
  readonly statuses: readonly number[];
}

/** Sends bytes, in the pieces given, through a rig whose upstream answers every head it finds, and waits for the end. */
export async function attack(...pieces: string[]): Promise<Outcome> {
  const scope = new Scope();
  try {
    const upstream = await Upstream.listen(peer => {
      let answered = 0;
      peer.socket.on('data', () => {
        const heads = peer.text.match(HEAD_END)?.length ?? 0;
        for (; answered < heads; answered++) peer.socket.write(OK);
      });
    });
    scope.defer(() => upstream.close());
    const rig = await HttpRig.listen({ servers: { '*': upstream.port } });
    scope.defer(() => rig.close());
    const client = await rig.dial();
    for (const piece of pieces) {
      await client.send(Buffer.from(piece, 'latin1'));
      // The next piece comes in a segment of its own.
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    client.finish();
    await client.end();
    for (const { hostname, action } of rig.decided) {
      expect(action === 'allow').toBe(hostname === 'allowed.example');
    }
    return {
      upstream: upstream.peers.map(({ text }) => text),
      statuses: [...client.text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)),
    };
  } finally {
    await scope.close();
  }
}
