import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import { TestDaemon } from '../support/daemon.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { CLAIM, CLIENT, ENDPOINT, v2 } from '../support/proxy-protocol.ts';
import { Scope } from '../support/scope.ts';
import { Upstream } from '../support/upstream.ts';

const LAGGING = 'vpce-0123456789abcdef0';
const hello = (serverName: string) => Buffer.from(buildClientHello({ serverName }));

describePlanes('rules for those who come through a VPC endpoint', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;
  let daemon: TestDaemon;
  let ports = 1_000;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
    daemon = await TestDaemon.start({
      policy: {
        mode: 'enforce',
        sources: {
          'team-a': { vpcEndpoints: [ENDPOINT], cidrs: ['203.0.113.0/24'] },
          lagging: { vpcEndpoints: [LAGGING], mode: 'observe' },
        },
        rules: [{ name: 'of-team-a', hosts: ['a.example'], ports: [upstream.port], from: ['team-a'] }],
      },
      config: {
        dataplane,
        listeners: [
          {
            name: 'tls',
            kind: 'sni',
            address: '127.0.0.1:0',
            upstreamPort: upstream.port,
            proxyProtocol: 'require',
            trusted: ['127.0.0.1'],
          },
        ],
        dns: { hosts: { 'a.example': '127.0.0.1' } },
        destinations: { allow: ['127.0.0.0/8'] },
      },
    });
    scope.defer(() => daemon.kill());
  });
  afterAll(() => scope.close());

  it.each([
    ['the endpoint of the group', CLIENT.ip, ENDPOINT, { action: 'allow', rule: 'of-team-a' }],
    ['an address of the group', '203.0.113.9', '', { action: 'allow', rule: 'of-team-a' }],
    ['an address of the group behind another endpoint', '203.0.113.9', 'vpce-0a', { action: 'allow' }],
    ['another endpoint', CLIENT.ip, 'vpce-0a', { action: 'deny', reason: 'not_allowed' }],
    ['no endpoint', CLIENT.ip, '', { action: 'deny', reason: 'not_allowed' }],
    ['an endpoint that is only observed', CLIENT.ip, LAGGING, { action: 'deny', reason: 'not_allowed' }],
  ])('%s', async (_, ip, endpoint, verdict) => {
    const source = { ip, port: ports++ };
    const client = await Peer.dial(daemon.port('tls'));
    await client.send(Buffer.concat([v2({ ...CLAIM, source }, endpoint), hello('a.example')]));
    const decision = await daemon.line(line => line.event === 'decision' && line.src_port === source.port);
    const isObserved = endpoint === LAGGING;
    expect(decision).toMatchObject({
      src_ip: ip,
      ...verdict,
      ...(isObserved ? { action: 'would-deny' } : {}),
    });
    expect(decision.vpc_endpoint).toBe(endpoint === '' ? undefined : endpoint);
    client.reset();
  });
});
