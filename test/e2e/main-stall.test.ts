import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { Trigger } from '../support/trigger.ts';
import { until } from '../support/until.ts';
import { Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const deniedHello = buildClientHello({ serverName: 'denied.example' });
const answer = buildServerHello();
const FLOWS = 200;

describe.skipIf(process.platform !== 'linux')('the main thread stands still (epoll: Linux only)', () => {
  const scope = new Scope();
  const perTest = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen(peer => peer.socket.once('data', () => peer.socket.write(answer)));
    scope.defer(() => upstream.close());
  });
  afterEach(() => perTest.close());
  afterAll(() => scope.close());

  it('flows go on and new ones are judged in the workers; no record is lost', async () => {
    const trigger = new Trigger();
    perTest.defer(() => trigger.close());
    const daemon = await startEgress({
      dataplane: 'epoll',
      upstreamPort: upstream.port,
      config: { workers: 1 },
      nodeArgs: trigger.nodeArgs,
    });
    perTest.defer(() => daemon.kill());

    async function flow(first: Uint8Array): Promise<Peer> {
      const client = await Peer.dial(daemon.port('tls'));
      perTest.defer(() => client.socket.destroy());
      await client.send(first);
      return client;
    }
    // The worker knows the address from then on.
    const early = await flow(hello);
    await early.atLeast(answer.length);

    trigger.pull('main', 'stall');
    // Asking for metrics makes it read the clock; the answer comes when it goes on.
    const status = fetch(`${daemon.admin}/api/v1/status`);
    await until('the main thread stands still', () => trigger.hasFired('main'));

    const server = await upstream.peer(0);
    await early.send('still here');
    await server.atLeast(hello.length + 'still here'.length);
    for (let i = 0; i < FLOWS; i++) {
      const isAllowed = i % 2 === 0;
      const client = await flow(isAllowed ? hello : deniedHello);
      if (isAllowed) await client.atLeast(answer.length);
      client.finish();
      if (!isAllowed) await client.end();
    }
    expect(daemon.lines.filter(line => line.event === 'close')).toEqual([]);

    trigger.release();
    expect((await status).status).toBe(200);
    for (const { socket } of upstream.peers) socket.end();
    early.finish();
    await daemon.collect(line => line.event === 'close', FLOWS + 1);
    const actions = pairRecords(daemon.lines).map(({ decision }) => decision.action);
    expect(actions.filter(action => action === 'deny')).toHaveLength(FLOWS / 2);
    expect(await daemon.metric('sallyport_log_dropped_total')).toBe(0);
  });
});
