import { afterEach, describe, expect, it } from 'vitest';
import { Scope } from '../../support/scope.ts';
import { echo, sendMixed } from './mixed-load.ts';
import { HttpRig } from './rig.ts';
import { Site } from './site.ts';

describe('ten thousand mixed requests over kept connections', () => {
  const scope = new Scope();
  afterEach(() => scope.close());

  it('are each answered by their own host, with nothing lost and nothing for a host that is not allowed', async () => {
    const seen = { a: new Map<string, number>(), b: new Map<string, number>() };
    const site = (hosts: Map<string, number>) =>
      Site.listen((request, response) => {
        const host = request.headers.host ?? '';
        hosts.set(host, (hosts.get(host) ?? 0) + 1);
        if (request.url?.endsWith('7')) response.writeEarlyHints({ link: '</x>; rel=preload' });
        return echo(request, response);
      });
    const a = await site(seen.a);
    scope.defer(() => a.close());
    const b = await site(seen.b);
    scope.defer(() => b.close());
    const rig = await HttpRig.listen({
      servers: { '198.51.100.7': a.port, '198.51.100.10': a.port, '198.51.100.9': b.port },
    });
    scope.defer(() => rig.close());
    const hosts = ['allowed.example', 'other.example', 'a.wild.example', 'allowed.example', 'evil.example'];
    await sendMixed(rig.port, 10_000, hosts, new Set(['evil.example']));
    expect([...seen.a.keys()].sort()).toEqual(['a.wild.example', 'allowed.example']);
    expect([...seen.b.keys()]).toEqual(['other.example']);
    const served = [...seen.a.values(), ...seen.b.values()].reduce((sum, count) => sum + count, 0);
    const refused = rig.decided.filter(({ action }) => action === 'deny');
    expect(served + refused.length).toBe(10_000);
    expect(new Set(refused.map(({ hostname }) => hostname))).toEqual(new Set(['evil.example']));
    await expect.poll(() => rig.flows.openFlows).toBe(0);
    expect(rig.closed).toHaveLength(rig.decided.length);
    expect(rig.closed.reduce((sum, { bytesOut }) => sum + bytesOut, 0)).toBe(rig.moved.out);
    expect(rig.closed.reduce((sum, { bytesIn }) => sum + bytesIn, 0)).toBe(rig.moved.in);
  }, 120_000);
});
