import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { FLOW_ANSWER, FLOW_HELLO, openFlow } from '../support/open-flow.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { Upstream } from '../support/upstream.ts';

/** Odd, so that no buffer or pipe of the relay divides it: a lost or doubled piece shifts everything behind it. */
const BLOCK = randomBytes(8 * 1024 * 1024 - 4_093);
const BLOCKS = 128;
const BODY_BYTES = BLOCK.length * BLOCKS;

describePlanes('a body of one gigabyte', dataplane => {
  const scope = new Scope();
  let daemon: TestDaemon;
  let upstream: Upstream;
  let expected: string;

  beforeAll(async () => {
    const hash = createHash('sha256');
    for (let i = 0; i < BLOCKS; i++) hash.update(BLOCK);
    expected = hash.digest('hex');
    upstream = await Upstream.listen(() => {}, { keep: false });
    scope.defer(() => upstream.close());
    daemon = await startEgress({ dataplane, upstreamPort: upstream.port });
    scope.defer(() => daemon.kill());
  });
  afterAll(() => scope.close());

  it.each(['upload', 'download'] as const)('arrives whole: %s', async direction => {
    const { client, server } = await openFlow(daemon, upstream, scope);

    const [from, to] = direction === 'upload' ? [client, server] : [server, client];
    const [digest] = await Promise.all([hashOf(to.socket), sendBody(from.socket)]);
    expect(digest).toBe(expected);

    (direction === 'upload' ? server : client).finish();
    const { close } = await daemon.flow(client.port);
    expect(close).toMatchObject({
      bytes_out: FLOW_HELLO.length + (direction === 'upload' ? BODY_BYTES : 0),
      bytes_in: FLOW_ANSWER.length + (direction === 'download' ? BODY_BYTES : 0),
      end: direction === 'upload' ? 'client_fin' : 'server_fin',
    });
  });
});

async function sendBody(socket: Socket): Promise<void> {
  for (let i = 0; i < BLOCKS; i++) await new Promise<void>(resolve => socket.write(BLOCK, () => resolve()));
  socket.end();
}

function hashOf(socket: Socket): Promise<string> {
  const hash = createHash('sha256');
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => hash.update(chunk));
  return new Promise(resolve => {
    socket.once('end', () => resolve(hash.digest('hex')));
  });
}
