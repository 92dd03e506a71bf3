import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Site } from '../dataplane/http/site.ts';
import { hasCommand, runCommand } from '../support/command.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { until } from '../support/until.ts';

const KEPT = 1_000;
const AT_ONCE = 50;
const get = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

describePlanes('plain HTTP', dataplane => {
  const scope = new Scope();
  let site: Site;
  let daemon: TestDaemon;

  const start = () => startEgress({ dataplane, upstreamPort: site.port });
  beforeAll(async () => {
    site = await Site.listen();
    scope.defer(() => site.close());
    daemon = await start();
    scope.defer(() => daemon.kill());
  });
  afterAll(() => scope.close());

  /** Asks for allowed.example and waits for the whole answer. */
  async function ask(client: Peer): Promise<void> {
    const before = client.received;
    await client.send(get('allowed.example'));
    while (!client.text.slice(before).endsWith('}')) await client.atLeast(client.received + 1);
  }

  it('is judged request by request on one connection, and a refusal ends it', async () => {
    const client = await Peer.dial(daemon.port('tls'));
    await ask(client);
    await ask(client);
    await client.send(get('denied.example') + get('allowed.example'));
    expect(await client.end()).toBe('fin');
    expect(client.text.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 403']);
    expect(client.text).toContain(`test-gateway refused denied.example:${site.port}: not_allowed`);
    expect(site.hosts).not.toContain('denied.example');
    const records = await daemon.collect(line => line.event === 'close' && line.src_port === client.port, 2);
    expect(records.map(({ hostname, end }) => [hostname, end]).sort()).toEqual([
      ['allowed.example', 'server_fin'],
      ['denied.example', 'refused'],
    ]);
  });

  it('is taken by the byte', async () => {
    const client = await Peer.dial(daemon.port('tls'));
    for (const byte of get('allowed.example')) await client.send(byte);
    while (!client.text.endsWith('}')) await client.atLeast(client.received + 1);
    client.finish();
    await client.end();
    expect((await daemon.flow(client.port)).decision).toMatchObject({ protocol: 'http', action: 'allow' });
  });

  it.each([
    ['bare line feeds', 'GET / HTTP/1.1\nHost: allowed.example\n\n', 'line-end'],
    ['a control character', 'GET / HTTP/1.1\r\nHost: allowed.example\0\r\n\r\n', 'control-byte'],
    ['no version', 'GET /\r\n\r\n', 'request-line'],
  ])('that is malformed from its first segment on is told so: %s', async (_, bytes, detail) => {
    const asked = site.seen.length;
    const client = await Peer.dial(daemon.port('tls'));
    await client.send(bytes);
    expect(await client.end()).toBe('fin');
    expect(client.text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(client.text).toContain(`test-gateway refused the request: malformed_request`);
    expect((await daemon.flow(client.port)).decision).toMatchObject({
      protocol: 'http',
      action: 'deny',
      reason: 'malformed_request',
      detail,
    });
    expect(site.seen).toHaveLength(asked);
  });

  it.skipIf(!hasCommand('curl'))('through an explicit listener, with curl', async () => {
    const curl = (host: string) =>
      runCommand('curl', [
        ...['--silent', '--show-error', '--noproxy', '', '--write-out', '\n%{http_code}'],
        ...['--proxy', `http://127.0.0.1:${daemon.port('proxy')}`, `http://${host}:${site.port}/`],
      ]);
    expect((await curl('allowed.example')).stdout).toMatch(/"host":"allowed\.example:\d+".*\n200$/);
    const denied = await curl('denied.example');
    expect(denied.stdout).toContain(`test-gateway refused denied.example:${site.port}: not_allowed`);
    expect(denied.stdout).toMatch(/\n403$/);
  });

  it('is counted once a connection, and leaves nothing behind', async () => {
    const descriptors = () => readdirSync(`/proc/${daemon.process.pid}/fd`).length;
    const open = () => daemon.metric('sallyport_open_flows', '{listener="tls"}');
    await until('no flow is open', async () => (await open()) === 0);
    const idle = process.platform === 'linux' ? descriptors() : 0;
    const clients: Peer[] = [];
    while (clients.length < KEPT) {
      const more = await Promise.all(Array.from({ length: AT_ONCE }, () => Peer.dial(daemon.port('tls'))));
      await Promise.all(more.map(ask));
      clients.push(...more);
    }
    expect(await open()).toBe(KEPT);
    for (const [i, client] of clients.entries()) {
      if (i % 2 === 0) client.finish();
      else client.reset();
    }
    await until('no flow is open', async () => (await open()) === 0);
    if (process.platform === 'linux') {
      await until(`descriptors are back to ${idle}`, () => descriptors() <= idle + 1);
    }
    const count = (event: string) => daemon.lines.filter(line => line.event === event).length;
    const areAllSaid = () => count('close') >= KEPT && count('close') === count('decision');
    await until('every flow has both its records', areAllSaid);
    pairRecords(daemon.lines);
  });

  describe('when the daemon drains', () => {
    it('ends kept connections at once, and exits', async () => {
      const own = await start();
      scope.defer(() => own.kill());
      const clients = await Promise.all([1, 2, 3].map(() => Peer.dial(own.port('tls'))));
      await Promise.all(clients.map(ask));
      const [exit, ...ends] = await Promise.all([own.stop(), ...clients.map(client => client.end())]);
      expect(exit).toEqual({ code: 0, signal: null });
      expect(ends).toEqual(['fin', 'fin', 'fin']);
      expect(pairRecords(own.lines).map(({ close }) => close.end)).toEqual(['drained', 'drained', 'drained']);
    });

    it('waits for the answer under way, and cuts it in the end', async () => {
      const silent = await Site.listen(() => {});
      scope.defer(() => silent.close());
      const own = await startEgress({
        dataplane,
        upstreamPort: silent.port,
        limits: { drainTimeout: '300ms' },
      });
      scope.defer(() => own.kill());
      const client = await Peer.dial(own.port('tls'));
      await client.send(get('allowed.example'));
      await until('the site was asked', () => silent.connections === 1);
      const [exit, end] = await Promise.all([own.stop(), client.end()]);
      expect([exit.code, end]).toEqual([0, 'reset']);
      expect(pairRecords(own.lines)).toMatchObject([{ close: { end: 'drained' } }]);
    });
  });

  it('to a host that a new policy refuses ends, where the settings say so', async () => {
    const own = await startEgress({
      dataplane,
      upstreamPort: site.port,
      config: { onPolicyChange: 'close' },
    });
    scope.defer(() => own.kill());
    const client = await Peer.dial(own.port('tls'));
    await ask(client);
    own.writePolicy({ mode: 'enforce', rules: [] });
    await own.line(line => line.event === 'close' && line.end === 'policy_changed');
    client.reset();
  });

  it('counts against the limit of its source until it is over', async () => {
    const own = await startEgress({ dataplane, upstreamPort: site.port, limits: { flowsPerSource: 1 } });
    scope.defer(() => own.kill());
    const first = await Peer.dial(own.port('tls'));
    await ask(first);
    const second = await Peer.dial(own.port('tls'));
    await second.end();
    expect((await own.flow(second.port)).decision).toMatchObject({ reason: 'source_limit' });
    first.finish();
    await first.end();
    await until(
      'no flow is open',
      async () => (await own.metric('sallyport_open_flows', '{listener="tls"}')) === 0,
    );
    const third = await Peer.dial(own.port('tls'));
    await ask(third);
    third.reset();
  });
});
