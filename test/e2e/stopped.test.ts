import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import { startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { until } from '../support/until.ts';
import { Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const answer = buildServerHello();
const HELLO_TIMEOUT_MS = 8_000;
/** More than an event loop takes in one go. */
const CLIENTS = 600;

describePlanes('the process is stopped for longer than limits.helloTimeout, and goes on', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;

  beforeEach(async () => {
    upstream = await Upstream.listen(peer => peer.socket.once('data', () => peer.socket.end(answer)), {
      keep: false,
    });
    scope.defer(() => upstream.close());
  });
  afterEach(() => scope.close());

  it('clients that spoke meanwhile are served; one that did not is refused', async () => {
    const daemon = await startEgress({
      dataplane,
      upstreamPort: upstream.port,
      limits: { helloTimeout: `${HELLO_TIMEOUT_MS}ms`, undecidedPerSource: 0 },
      config: { workers: 1 },
    });
    scope.defer(() => daemon.kill());
    const dial = async () => {
      const client = await Peer.dial(daemon.port('tls'));
      scope.defer(() => client.socket.destroy());
      return client;
    };
    const silent = await dial();
    // Each has said something: it was accepted, and its time runs.
    const clients = await Promise.all(Array.from({ length: CLIENTS }, dial));
    await Promise.all(clients.map(client => client.send(hello.subarray(0, 100))));
    await until('all are accepted', async () => {
      return (await daemon.metric('sallyport_open_flows', '{listener="tls"}')) === CLIENTS + 1;
    });
    daemon.process.kill('SIGSTOP');
    const stoppedMs = performance.now();
    await Promise.all(clients.map(client => client.send(hello.subarray(100))));
    await until('the time of all is over', () => performance.now() - stoppedMs > HELLO_TIMEOUT_MS);
    daemon.process.kill('SIGCONT');

    await Promise.all(clients.map(client => client.atLeast(answer.length)));
    for (const client of clients) client.finish();
    await daemon.collect(line => line.event === 'close', CLIENTS + 1);
    const denied = daemon.lines.filter(line => line.event === 'decision' && line.action === 'deny');
    expect(denied).toMatchObject([{ src_port: silent.port, reason: 'hello_timeout' }]);
  });
});
