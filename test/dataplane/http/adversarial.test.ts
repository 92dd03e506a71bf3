import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAdversarial } from '../../support/corpus.ts';
import { HttpRig } from './rig.ts';
import { Site } from './site.ts';

const rows = readAdversarial('adversarial_http.jsonl').filter(row => row.cat === 'http');

describe('hostile and odd requests for port 80', () => {
  let site: Site;
  let rig: HttpRig;

  beforeAll(async () => {
    site = await Site.listen();
    rig = await HttpRig.listen({ servers: { '*': site.port }, settings: { helloTimeoutMs: 400 } });
  });
  afterAll(async () => {
    await rig.close();
    await site.close();
  });

  it.each(rows)('$id $desc: $expect', async row => {
    const seenBefore = site.seen.length;
    const dialedBefore = rig.dialed.length;
    const decidedBefore = rig.decided.length;
    const peer = await rig.dial();
    await peer.send(row.stream);
    if (row.expect !== 'timeout') peer.finish();
    await peer.end();
    peer.socket.destroy();
    const seen = site.seen.slice(seenBefore);
    const decided = rig.decided.slice(decidedBefore);
    for (const { host } of seen) expect(host?.toLowerCase().replace(/:80$/, '')).toBe('allowed.example');
    switch (row.expect) {
      case 'allow':
        expect(decided).toMatchObject([{ action: 'allow', hostname: row.expect_host }]);
        break;
      case 'deny':
        expect(rig.dialed.length).toBe(dialedBefore);
        expect(decided).toMatchObject([{ action: 'deny' }]);
        expect(peer.text).toMatch(/^HTTP\/1\.1 4\d\d /);
        break;
      case 'timeout':
        expect(rig.dialed.length).toBe(dialedBefore);
        expect(decided).toMatchObject([{ action: 'deny', reason: 'hello_timeout' }]);
        break;
      case 'first-only':
        expect(seen.length).toBeGreaterThan(0);
        break;
      case 'policy':
        break;
    }
  });

  it('left nothing open', () => {
    expect(rig.flows.openFlows).toBe(0);
    expect(rig.closed).toHaveLength(rig.decided.length);
  });
});
