import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Site } from '../dataplane/http/site.ts';
import { type AdversarialRow, type HostRow, readAdversarial, readCaptures } from '../support/corpus.ts';
import { TestDaemon } from '../support/daemon.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes, type Plane } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';

const rows = readAdversarial('adversarial_http.jsonl').filter(row => row.cat === 'http');
/** Without a port its target is on port 80. */
const ABSOLUTE_FORM = 'A01';
const captures = readCaptures<HostRow>('http.jsonl');

/** For this daemon every name is this host. Plain HTTP for the site at `sites[n]` comes by listener `web-n`. */
async function startWeb(
  scope: Scope,
  dataplane: Plane,
  sites: readonly Site[],
  mode: 'enforce' | 'observe',
): Promise<TestDaemon> {
  const dns = await startDnsServer(({ type }) =>
    type === 'A' ? [{ type, data: '127.0.0.1', ttl: 60 }] : [],
  );
  scope.defer(() => dns.close());
  const daemon = await TestDaemon.start({
    policy: {
      mode,
      rules: [{ name: 'corpus', hosts: ['allowed.example'], ports: sites.map(({ port }) => port) }],
    },
    config: {
      dataplane,
      workers: 2,
      listeners: [
        ...sites.map(({ port: upstreamPort }, n) => ({
          name: `web-${n}`,
          kind: 'sni',
          address: '127.0.0.1:0',
          upstreamPort,
        })),
        { name: 'proxy', kind: 'explicit', address: '127.0.0.1:0' },
      ],
      dns: { servers: [dns.server] },
      destinations: { allow: ['127.0.0.0/8'] },
      limits: { helloTimeout: '1s' },
    },
  });
  scope.defer(() => daemon.kill());
  return daemon;
}

async function answerTo(
  daemon: TestDaemon,
  stream: Uint8Array,
  finishes: boolean,
  listener = 'web-0',
): Promise<Peer> {
  const client = await Peer.dial(daemon.port(listener));
  await client.send(stream);
  if (finishes) client.finish();
  await client.end();
  client.socket.destroy();
  return client;
}

/** A site that closes every connection after its first answer. */
async function listenBriefly(scope: Scope): Promise<Site> {
  const site = await Site.listen((request, response) => {
    const { host } = request.headers;
    site.seen.push({ line: request.url ?? '', host, fields: request.rawHeaders, body: '' });
    response.setHeader('Connection', 'close');
    response.end('ok');
    request.resume();
  });
  scope.defer(() => site.close());
  return site;
}

/** The fixture is made for port 80. */
function onPort({ stream, id }: AdversarialRow, port: number): string {
  const text = Buffer.from(stream).toString('latin1');
  return id === ABSOLUTE_FORM
    ? text.replaceAll('.example', `.example:${port}`)
    : text.replaceAll(':80', `:${port}`);
}

describePlanes('hostile and odd requests', dataplane => {
  const scope = new Scope();
  let site: Site;
  let daemon: TestDaemon;

  beforeAll(async () => {
    site = await Site.listen();
    scope.defer(() => site.close());
    daemon = await startWeb(scope, dataplane, [site], 'enforce');
  });
  afterAll(() => scope.close());

  it.each(rows)('$id $desc: $expect', async row => {
    const stream = onPort(row, site.port);
    const seenBefore = site.seen.length;
    const linesBefore = daemon.lines.length;
    const client = await answerTo(daemon, Buffer.from(stream, 'latin1'), row.expect !== 'timeout');
    await daemon.line(line => line.event === 'close' && line.src_port === client.port, linesBefore);
    const decided = daemon.lines
      .slice(linesBefore)
      .filter(line => line.event === 'decision' && line.src_port === client.port);
    const seen = site.seen.slice(seenBefore);
    for (const { host } of seen) {
      expect(host?.toLowerCase().replace(`:${site.port}`, '')).toBe('allowed.example');
    }
    switch (row.expect) {
      case 'allow':
        expect(decided).toMatchObject([{ action: 'allow', hostname: row.expect_host }]);
        break;
      case 'deny':
        expect(seen).toEqual([]);
        expect(decided).toMatchObject([{ action: 'deny' }]);
        // What is no HTTP from its first bytes on gets no answer in HTTP.
        expect(client.text).toMatch(/^(?:HTTP\/1\.1 4\d\d |$)/);
        break;
      case 'timeout':
        expect(seen).toEqual([]);
        expect(decided).toMatchObject([{ action: 'deny', reason: 'hello_timeout' }]);
        break;
      case 'first-only':
        expect(seen.length).toBeGreaterThan(0);
        break;
      case 'policy':
        break;
    }
  });

  it('asked of a proxy reach no other host either', async () => {
    const seenBefore = site.seen.length;
    const allowed = `allowed.example:${site.port}`;
    await Promise.all(
      rows.map(row => {
        const text = Buffer.from(row.stream).toString('latin1').replaceAll('allowed.example', allowed);
        const asked = text.replace(/^([A-Z]+) \//, `$1 http://${allowed}/`);
        return answerTo(daemon, Buffer.from(asked, 'latin1'), true, 'proxy');
      }),
    );
    const seen = site.seen.slice(seenBefore);
    expect(seen.length).toBeGreaterThan(0);
    for (const { host } of seen) expect(host?.toLowerCase()).toBe(allowed);
  });

  it('have forged, broken or lost no log line', () => {
    expect(daemon.otherOutput).toEqual([]);
  });
});

describe.skipIf(captures === null)('captured requests (skipped when ../shared/corpus is missing)', () => {
  describePlanes('in observe mode', dataplane => {
    const scope = new Scope();
    afterAll(() => scope.close());

    it('reach a server under the host that an independent parser reads, or are refused', async () => {
      const captured = captures ?? [];
      // A site for each: what a request that was broken off had sent may arrive while another one is under way.
      const sites = await Promise.all(captured.map(() => listenBriefly(scope)));
      const daemon = await startWeb(scope, dataplane, sites, 'observe');
      for (const [n, row] of captured.entries()) await answerTo(daemon, row.stream, true, `web-${n}`);
      expect(await daemon.stop()).toMatchObject({ code: 0 });
      let served = 0;
      for (const [n, row] of captured.entries()) {
        const [seen, ...more] = sites[n]?.hosts ?? [];
        if (seen === undefined) continue;
        served++;
        if (row.host !== null) expect(seen, row.id).toBe(row.host);
        for (const host of row.host === null ? [seen, ...more] : more)
          expect(Buffer.from(row.stream).toString('latin1'), row.id).toContain(`Host: ${host}\r\n`);
      }
      expect(served).toBeGreaterThan(captured.length / 4);
      expect(daemon.otherOutput).toEqual([]);
    });
  });
});
