import { afterEach, describe, expect, it } from 'vitest';
import { Scope } from '../../support/scope.ts';
import { HttpRig } from './rig.ts';
import { Site } from './site.ts';

const GET = 'GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\n';
let scope = new Scope();

afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

async function rigOf(undecided: number): Promise<HttpRig> {
  const site = await Site.listen((_request, response) => response.end('hello'));
  scope.defer(() => site.close());
  const rig = await HttpRig.listen({
    servers: { '*': site.port },
    openings: { undecided, undecidedPerSource: 0 },
  });
  scope.defer(() => rig.close());
  return rig;
}

describe('clients whose request head comes slowly', () => {
  it('count as undecided until it is whole', async () => {
    const rig = await rigOf(10);
    const client = await rig.dial();
    await client.send(GET.slice(0, 20));
    await expect.poll(() => rig.counters.allAwaited()).toBe(1);
    await client.send(GET.slice(20));
    await client.atLeast(1);
    expect(rig.counters.allAwaited()).toBe(0);
    client.reset();
  });

  it('count no more when they have left', async () => {
    const rig = await rigOf(10);
    const clients = await Promise.all([rig.dial(), rig.dial()]);
    for (const client of clients) await client.send(GET.slice(0, 20));
    await expect.poll(() => rig.counters.allAwaited()).toBe(2);
    clients[0]?.reset();
    clients[1]?.finish();
    await expect.poll(() => rig.counters.allAwaited()).toBe(0);
  });

  it('are refused past the limit, while whole requests are served', async () => {
    const rig = await rigOf(1);
    const slow = await rig.dial();
    await slow.send(GET.slice(0, 20));
    await expect.poll(() => rig.counters.allAwaited()).toBe(1);
    expect(await rig.ask(GET.slice(0, 20))).toMatch(/^HTTP\/1\.1 503 /);
    expect(rig.decisions).toEqual([expect.stringContaining('undecided_limit')]);
    const quick = await rig.dial();
    await quick.send(GET);
    expect((await quick.atLeast(12)).toString('latin1')).toMatch(/^HTTP\/1\.1 200/);
    for (const client of [slow, quick]) client.reset();
  });
});
