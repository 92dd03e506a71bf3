import { describe, expect, it } from 'vitest';
import type { Listener } from '../../src/dataplane/listener.ts';
import type { ProxyAddresses } from '../../src/sniff/proxy-protocol.ts';
import { ip } from '../resolve/support.ts';
import { buildClientHello } from '../support/client-hello.ts';
import { CLAIM, CLIENT, ENDPOINT, v1, v2 } from '../support/proxy-protocol.ts';
import { LISTENERS, ORIGINAL, SETTINGS } from './support.ts';
import { tableOf } from './table.ts';

const BALANCER = '10.0.1.7';
const trusted = ['10.0.1.0/24'];
const hello = buildClientHello({ serverName: 'allowed.example' });
const sni: Listener = { ...LISTENERS.sni, proxyProtocol: { mode: 'require', trusted } };
const optional: Listener = { ...LISTENERS.sni, proxyProtocol: { mode: 'accept', trusted } };
const gw: Listener = { ...LISTENERS.original, proxyProtocol: { mode: 'require', trusted } };
const to = (destination: string, port = 443): ProxyAddresses => ({
  ...CLAIM,
  destination: { ip: destination, port },
});

describe('flows behind PROXY protocol headers', () => {
  it('are of the client that the header names, and count from accept on', () => {
    const { serve, decisions, clock, counters } = tableOf({});
    const wire = serve(BALANCER, 0, sni);
    clock.advance(1_000);
    wire.user?.clientBytes(v2(CLAIM, ENDPOINT));
    expect([counters.allOpenFlows(), counters.allAwaited()]).toEqual([1, 1]);
    clock.advance(1_000);
    wire.user?.clientBytes(hello);
    expect(decisions).toMatchObject([
      { srcIp: CLIENT.ip, srcPort: CLIENT.port, vpcEndpoint: ENDPOINT, action: 'allow', sniffMs: 2_000 },
    ]);
  });

  it('have one deadline for header and hello', () => {
    const { serve, decisions, clock, counters } = tableOf({});
    const wire = serve(BALANCER, 0, sni);
    clock.advance(SETTINGS.helloTimeoutMs - 1);
    wire.user?.clientBytes(v1());
    expect(decisions).toEqual([]);
    clock.advance(1);
    expect(decisions).toMatchObject([{ srcIp: CLIENT.ip, reason: 'hello_timeout', action: 'deny' }]);
    expect([counters.allOpenFlows(), counters.allAwaited(), clock.isIdle]).toEqual([0, 0, true]);
  });

  it.each([
    ['require', sni, 'hello_timeout'],
    ['accept', optional, 'hello_timeout'],
  ])('%s: a peer that says nothing has its deadline', (_, listener, reason) => {
    const { serve, decisions, clock, counters, table } = tableOf({});
    serve(BALANCER, 0, listener);
    clock.advance(SETTINGS.helloTimeoutMs);
    expect(decisions).toMatchObject([{ srcIp: BALANCER, reason, action: 'deny' }]);
    expect([table.size, counters.allOpenFlows(), counters.allAwaited(), clock.isIdle]).toEqual([
      0,
      0,
      0,
      true,
    ]);
  });

  it('accept: what does not begin with a signature is the peer’s own flow at once', () => {
    const { serve, decisions } = tableOf({});
    serve(BALANCER, 0, optional).user?.clientBytes(hello);
    expect(decisions).toMatchObject([{ srcIp: BALANCER, vpcEndpoint: null, action: 'allow' }]);
  });

  it('leave no trace of a health check', () => {
    const { serve, decisions, closes, clock, counters, table } = tableOf({});
    for (const listener of [sni, optional]) {
      serve(BALANCER, 0, listener).user?.clientEnded();
      serve(BALANCER, 0, listener).user?.clientReset();
      const local = serve(BALANCER, 0, listener);
      local.user?.clientBytes(v2(null));
      local.user?.clientEnded();
      serve(BALANCER, 0, listener).user?.clientBytes(v2(null));
      clock.advance(SETTINGS.helloTimeoutMs);
    }
    expect([decisions, closes]).toEqual([[], []]);
    expect([table.size, counters.allOpenFlows(), counters.allAwaited(), clock.isIdle]).toEqual([
      0,
      0,
      0,
      true,
    ]);
  });

  it('end with all others', () => {
    const { serve, decisions, counters, table, clock } = tableOf({});
    const waiting = serve(BALANCER, 0, sni);
    serve(BALANCER, 0, sni).user?.clientBytes(v2());
    table.abandonAll('drained');
    expect(waiting.calls).toEqual(['reset']);
    expect(decisions).toMatchObject([{ srcIp: CLIENT.ip, reason: 'drained' }]);
    expect([table.size, counters.allOpenFlows(), counters.allAwaited(), clock.isIdle]).toEqual([
      0,
      0,
      0,
      true,
    ]);
  });

  it('do not come from who is not trusted: require turns away, accept takes nothing for a header', () => {
    const { serve, decisions, closes, counters } = tableOf({});
    expect(serve('192.0.2.1', 0, sni).user).toBeNull();
    serve('192.0.2.1', 0, optional).user?.clientBytes(v2());
    expect(decisions).toMatchObject([
      { srcIp: '192.0.2.1', reason: 'untrusted_peer', state: 'DENIED' },
      { srcIp: '192.0.2.1', reason: 'not_tls', state: 'NO_MATCH' },
    ]);
    expect(closes).toHaveLength(2);
    expect([counters.allOpenFlows(), counters.allAwaited()]).toEqual([0, 0]);
  });

  it('count as awaited of their client, not of the balancer', () => {
    const openings = { undecided: 100, undecidedPerSource: 1 };
    const { serve, decisions, counters } = tableOf({ openings });
    const from = (address: string) => {
      const wire = serve(BALANCER, 0, sni);
      wire.user?.clientBytes(v2({ ...CLAIM, source: { ip: address, port: 1 } }));
      return wire;
    };
    const first = from('192.0.2.1');
    from('192.0.2.2');
    expect(decisions).toEqual([]);
    expect(from('192.0.2.1').calls).toEqual(['reset']);
    expect(decisions).toMatchObject([{ srcIp: '192.0.2.1', reason: 'undecided_source_limit' }]);
    expect([counters.allOpenFlows(), counters.allAwaited()]).toEqual([2, 2]);
    first.user?.clientReset();
    from('192.0.2.1');
    expect(decisions.map(({ reason }) => reason)).toEqual(['undecided_source_limit', 'client_closed']);
  });

  it('are refused before their header when there are too many flows', () => {
    const { serve, decisions, counters, clock } = tableOf({ flowLimit: 1 });
    serve(BALANCER, 0, sni);
    expect(serve(BALANCER, 0, sni).calls).toEqual(['hangUp nothing']);
    expect(decisions).toMatchObject([{ srcIp: BALANCER, reason: 'flow_limit', state: 'DENIED' }]);
    clock.advance(SETTINGS.helloTimeoutMs);
    expect([counters.allOpenFlows(), counters.allAwaited()]).toEqual([0, 0]);
  });

  describe('on a transparent listener', () => {
    it('go to where the header says that they were going', () => {
      const { serve, decisions } = tableOf({});
      const wire = serve(BALANCER, 0, gw);
      wire.user?.clientBytes(Buffer.concat([v2(to(ORIGINAL)), hello]));
      expect(decisions).toMatchObject([{ srcIp: CLIENT.ip, dstIp: ORIGINAL, dstPort: 443, action: 'allow' }]);
      expect(wire.calls).toEqual([`connect ${ORIGINAL}:443`]);
    });

    it.each([
      ['one of our listeners', '203.0.113.1'],
      ['loopback', '127.0.0.1'],
      ['the metadata service', '169.254.169.254'],
    ])('go nowhere when that is %s', (_, destination) => {
      const { serve, decisions } = tableOf({});
      const wire = serve(BALANCER, 0, gw);
      wire.user?.clientBytes(Buffer.concat([v2(to(destination)), hello]));
      expect(decisions).toMatchObject([{ action: 'deny', state: 'DENIED', reason: 'destination_forbidden' }]);
      expect(wire.attempts).toEqual([]);
    });

    it('go where the connection itself went when the header says nothing', () => {
      const { serve, decisions } = tableOf({});
      const wire = serve(BALANCER, 0, gw);
      wire.originalDestination = { ip: ip(ORIGINAL), port: 443 };
      wire.user?.clientBytes(v2(null));
      wire.user?.clientBytes(hello);
      expect(decisions).toMatchObject([{ srcIp: BALANCER, dstIp: ORIGINAL, action: 'allow' }]);
    });

    it('tell upstreams where they were going', () => {
      const { serve } = tableOf({});
      const wire = serve(BALANCER, 0, { ...gw, sendProxyProtocol: 'v2' });
      wire.user?.clientBytes(Buffer.concat([v2(to(ORIGINAL), ENDPOINT), hello]));
      wire.attempts[0]?.settle(null);
      expect(wire.relaying?.head).toEqual(Buffer.concat([v2(to(ORIGINAL), ENDPOINT), hello]));
    });
  });
});
