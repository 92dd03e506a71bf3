import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status } from '../../src/admin/daemon-api.ts';
import { buildClientHello } from '../support/client-hello.ts';
import type { LogLine, TestDaemon } from '../support/daemon.ts';
import { allowedExample, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { openTunnel } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const hello = buildClientHello();
const answer = buildServerHello();
const isReloaded = (line: LogLine) => line.event === 'reload' && line.result === 'success';

async function sha256(daemon: TestDaemon): Promise<string> {
  const status = (await (await fetch(`${daemon.admin}/api/v1/status`)).json()) as Status;
  return status.policy.sha256;
}

describePlanes('open flows when the policy changes', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen(peer => {
      peer.socket.once('data', () => {
        peer.socket.write(answer);
        peer.socket.pipe(peer.socket);
      });
    });
    scope.defer(() => upstream.close());
  });
  afterAll(() => scope.close());

  async function start(onPolicyChange: 'keep' | 'close'): Promise<TestDaemon> {
    const daemon = await startEgress({ dataplane, upstreamPort: upstream.port, config: { onPolicyChange } });
    scope.defer(() => daemon.kill());
    return daemon;
  }

  async function openFlow(daemon: TestDaemon): Promise<Peer> {
    const client = await Peer.dial(daemon.port('tls'));
    await client.send(hello);
    await client.atLeast(answer.length);
    return client;
  }

  async function change(daemon: TestDaemon, policy: Readonly<Record<string, unknown>>): Promise<void> {
    const from = daemon.lines.length;
    daemon.writePolicy(policy);
    await daemon.line(isReloaded, from);
  }

  const nothingAllowed = { mode: 'enforce', rules: [] };

  it('close: what the new policy refuses is cut, and says so', async () => {
    const daemon = await start('close');
    const client = await openFlow(daemon);
    const port = client.socket.localPort;
    await change(daemon, nothingAllowed);
    expect(await client.end()).toBe('reset');
    const { decision, close } = await daemon.flow(port);
    expect(decision).toMatchObject({ state: 'MATCHED', action: 'allow' });
    expect(close).toMatchObject({ end: 'policy_changed', bytes_in: answer.length });
  });

  it('close: a tunnel that was granted and has not spoken yet is refused', async () => {
    const daemon = await start('close');
    const tunnel = await openTunnel('connect', daemon.port('proxy'), 'allowed.example', upstream.port);
    const port = tunnel.socket.localPort;
    await change(daemon, nothingAllowed);
    expect(await tunnel.end()).toBe('reset');
    const { decision, close } = await daemon.flow(port);
    expect(decision).toMatchObject({ state: 'NO_MATCH', action: 'deny', reason: 'not_allowed' });
    expect(close).toMatchObject({ end: 'policy_changed' });
  });

  it('close: what is denied once observeUntil has passed is cut, and the mode is said', async () => {
    const daemon = await start('close');
    const observing = (observeUntil: string) => ({ mode: 'observe', observeUntil, rules: [] });
    await change(daemon, observing('2100-01-01'));
    const client = await openFlow(daemon);
    const port = client.socket.localPort;
    const soon = new Date(Math.ceil(Date.now() / 1_000 + 2) * 1_000);
    await change(daemon, observing(soon.toISOString()));
    expect(
      await daemon.metric('sallyport_policy_info', `{sha256="${await sha256(daemon)}",mode="observe"}`),
    ).toBe(1);
    const said = await daemon.line(line => line.event === 'mode');
    expect(said).toMatchObject({ level: 'warn', mode: 'enforce' });
    expect(await client.end()).toBe('reset');
    const { decision, close } = await daemon.flow(port);
    expect([decision.action, close.end]).toEqual(['would-deny', 'policy_changed']);
    expect(
      await daemon.metric('sallyport_policy_info', `{sha256="${await sha256(daemon)}",mode="enforce"}`),
    ).toBe(1);
  });

  const kept: readonly [string, 'keep' | 'close', (port: number) => Readonly<Record<string, unknown>>][] = [
    [
      'close: what the new policy allows too goes on',
      'close',
      port => allowedExample(port, 'enforce', 'other'),
    ],
    [
      'close: nothing is cut where the new policy only observes',
      'close',
      () => ({ mode: 'observe', rules: [] }),
    ],
    ['keep: open flows stay as they were decided', 'keep', () => nothingAllowed],
  ];
  it.each(kept)('%s', async (_, onPolicyChange, policy) => {
    const daemon = await start(onPolicyChange);
    const client = await openFlow(daemon);
    const port = client.socket.localPort;
    await change(daemon, policy(upstream.port));
    await client.send('still there');
    await client.atLeast(answer.length + 'still there'.length);
    client.finish();
    expect((await daemon.flow(port)).close).toMatchObject({ end: 'client_fin' });
  });
});
