import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { CONNECT_GRANTED, openTunnel } from '../support/tunnel.ts';
import { freePort, Upstream } from '../support/upstream.ts';

const names = ['fallback.example', 'dead.example', 'forbidden.example', 'private.example', 'unknown.invalid'];
const helloFor = (serverName: string) => buildClientHello({ serverName });

describePlanes('dialling', dataplane => {
  const scope = new Scope();
  let daemon: TestDaemon;
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    const deadPort = await freePort();
    daemon = await startEgress({
      dataplane,
      upstreamPort: upstream.port,
      config: {
        dns: {
          servers: [`127.0.0.1:${deadPort}`],
          hosts: {
            'fallback.example': ['127.0.0.2', '127.0.0.1'],
            'dead.example': ['127.0.0.2', '127.0.0.3'],
            'forbidden.example': '169.254.169.254',
            'private.example': '10.255.255.1',
          },
        },
      },
    });
    scope.defer(() => daemon.kill());
    const rule = { name: 'names', hosts: names, ports: [upstream.port] };
    const from = daemon.lines.length;
    daemon.writePolicy({ mode: 'enforce', rules: [rule] });
    await daemon.line(line => line.event === 'reload' && line.result === 'success', from);
  });
  afterAll(async () => {
    await scope.close();
    pairRecords(daemon.lines);
  });

  it('goes on to the next address when one refuses', async () => {
    const client = await Peer.dial(daemon.port('tls'));
    await client.send(helloFor('fallback.example'));
    const server = await upstream.peer();
    await server.atLeast(helloFor('fallback.example').length);
    server.finish();
    client.finish();
    const { decision, close } = await daemon.flow(client.port);
    expect(decision).toMatchObject({ action: 'allow', hostname: 'fallback.example' });
    expect(close).toMatchObject({ dst_ip: '127.0.0.1', bytes_out: server.received });
  });

  it('resets the client when no address answers, and says dial_failed', async () => {
    const client = await Peer.dial(daemon.port('tls'));
    await client.send(helloFor('dead.example'));
    expect(await client.end()).toBe('reset');
    const { decision, close } = await daemon.flow(client.port);
    expect(decision).toMatchObject({ action: 'allow', state: 'MATCHED', reason: null });
    expect(close).toMatchObject({ end: 'dial_failed', bytes_out: 0, bytes_in: 0 });
    expect(await daemon.metric('sallyport_dial_failures_total', '{cause="refused"}')).toBe(1);
  });

  it('dials after CONNECT only when the hello was judged', async () => {
    const before = upstream.peers.length;
    const client = await openTunnel('connect', daemon.port('proxy'), 'fallback.example', upstream.port);
    expect(client.text).toBe(CONNECT_GRANTED);
    await client.send(helloFor('other.example'));
    expect(await client.end()).toBe('fin');
    const { decision } = await daemon.flow(client.port);
    expect(decision).toMatchObject({ action: 'deny', reason: 'name_mismatch' });
    expect(upstream.peers.length).toBe(before);
  });

  it.each([
    ['an address that is never dialled', 'forbidden.example', 'destination_forbidden', 'DENIED'],
    ['a private address that nothing permits', 'private.example', 'destination_forbidden', 'DENIED'],
    ['a name that does not resolve', 'unknown.invalid', 'unresolvable', 'MATCHED'],
  ])('refuses %s', async (_what, name, reason, state) => {
    const client = await Peer.dial(daemon.port('tls'));
    await client.send(helloFor(name));
    expect(await client.end()).toBe('fin');
    const { decision, close } = await daemon.flow(client.port);
    expect(decision).toMatchObject({ action: 'deny', reason, state, rule: 'names', hostname: name });
    expect(close).toMatchObject({ end: 'refused', bytes_out: 0 });
  });
});
