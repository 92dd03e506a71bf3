import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HostRow, readCaptures } from '../../support/corpus.ts';
import { HttpRig } from './rig.ts';
import { Site } from './site.ts';

const captures = readCaptures<HostRow>('http.jsonl');

/** In observe mode nothing depends on rules: what is read is forwarded, what is not is given back. */
describe.skipIf(captures === null)(
  'captured requests on a transparent listener (skipped when ../shared/corpus is missing)',
  () => {
    let site: Site;
    let rig: HttpRig;

    beforeAll(async () => {
      site = await Site.listen((request, response) => {
        const { host } = request.headers;
        site.seen.push({ line: request.url ?? '', host, fields: request.rawHeaders, body: '' });
        response.setHeader('Connection', 'close');
        response.end('ok');
        request.resume();
      });
      rig = await HttpRig.listen({ mode: 'observe', servers: { '*': site.port } });
    });
    afterAll(async () => {
      await rig.close();
      await site.close();
    });

    it('reach a server under the host that an independent parser reads, or are given back whole', async () => {
      let served = 0;
      for (const row of captures ?? []) {
        const seenBefore = site.seen.length;
        const givenBefore = rig.givenBack.length;
        const peer = await rig.dial();
        await peer.send(row.stream);
        peer.finish();
        await peer.end();
        peer.socket.destroy();
        const [seen, ...more] = site.seen.slice(seenBefore);
        const given = rig.givenBack.slice(givenBefore);
        if (seen === undefined) {
          if (given.length > 0)
            expect(given[0]?.text, row.id).toBe(Buffer.from(row.stream).toString('latin1'));
          continue;
        }
        served++;
        // The parser knows fewer methods, and tells nothing of the requests behind the first.
        if (row.host !== null) expect(seen.host, row.id).toBe(row.host);
        for (const { host } of row.host === null ? [seen, ...more] : more)
          expect(Buffer.from(row.stream).toString('latin1'), row.id).toContain(`Host: ${host}\r\n`);
      }
      expect(served).toBeGreaterThan((captures ?? []).length / 3);
    });

    it('had their decisions and closes recorded in pairs', () => {
      expect(rig.closed.map(({ flow }) => flow).sort()).toEqual(rig.decided.map(({ flow }) => flow).sort());
      expect(rig.flows.openFlows).toBe(0);
    });
  },
);
