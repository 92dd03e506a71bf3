import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rule } from '../../policy/reference.ts';
import type { Peer } from '../../support/peer.ts';
import { Scope } from '../../support/scope.ts';
import { compiled } from '../support.ts';
import { HttpRig } from './rig.ts';
import { Site } from './site.ts';

const get = (host: string, path = '/') => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

describe('a connection that is kept', () => {
  let scope: Scope;
  let sites: Record<'a' | 'b', Site>;
  let rig: HttpRig;

  beforeEach(async () => {
    scope = new Scope();
    sites = { a: await Site.listen(), b: await Site.listen() };
    scope.defer(() => Promise.all([sites.a.close(), sites.b.close()]));
    rig = await HttpRig.listen({ servers: { '198.51.100.7': sites.a.port, '198.51.100.9': sites.b.port } });
    scope.defer(() => rig.close());
  });
  afterEach(() => scope.close());

  /** What the sites say they were asked, in the order of the answers. */
  function answered(client: Peer): string[] {
    return [...client.text.matchAll(/"line":"\w+ (\S+) [^"]*","host":"([^"]*)"/g)].map(
      ([, path, host]) => `${host}${path}`,
    );
  }

  async function until(client: Peer, count: number): Promise<void> {
    while (answered(client).length < count) await client.atLeast(client.received + 1);
  }

  it('serves each request to its own host, over one connection to each', async () => {
    const client = await rig.dial();
    for (let i = 0; i < 6; i++) {
      await client.send(get(i % 2 === 0 ? 'allowed.example' : 'other.example', `/${i}`));
      await until(client, i + 1);
    }
    client.finish();
    await client.end();
    expect(sites.a.hosts).toEqual(['allowed.example', 'allowed.example', 'allowed.example']);
    expect(sites.b.hosts).toEqual(['other.example', 'other.example', 'other.example']);
    expect([sites.a.connections, sites.b.connections]).toEqual([1, 1]);
    expect(rig.decided).toMatchObject([{ hostname: 'allowed.example' }, { hostname: 'other.example' }]);
    expect(rig.closed.map(({ hostname, end }) => [hostname, end]).sort()).toEqual([
      ['allowed.example', 'client_fin'],
      ['other.example', 'client_fin'],
    ]);
    expect(rig.over).toBe(1);
  });

  it('is served when it is handed over before anything was read', async () => {
    const eager = await HttpRig.listen({ servers: { '*': sites.a.port }, unread: true });
    scope.defer(() => eager.close());
    const client = await eager.dial();
    await client.send(get('allowed.example'));
    await until(client, 1);
    client.finish();
    expect(await client.end()).toBe('fin');
    expect(eager.closed).toMatchObject([{ end: 'client_fin' }]);
  });

  it('answers pipelined requests to alternating hosts in order', async () => {
    const client = await rig.dial();
    const paths = Array.from({ length: 400 }, (_, i) => `/${i}`);
    await client.send(
      paths.map((path, i) => get(i % 2 === 0 ? 'allowed.example' : 'other.example', path)).join(''),
    );
    await until(client, paths.length);
    expect(answered(client)).toEqual(
      paths.map((path, i) => (i % 2 === 0 ? `allowed.example${path}` : `other.example${path}`)),
    );
    client.socket.destroy();
  });

  it('answers pipelined requests with bodies in order', async () => {
    const client = await rig.dial();
    const bodies = Array.from({ length: 50 }, (_, i) => 'x'.repeat(i * 997));
    await client.send(
      bodies
        .map(
          (body, i) =>
            `POST /${i} HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        )
        .join(''),
    );
    await until(client, bodies.length);
    expect(sites.a.seen.map(({ body }) => body.length)).toEqual(bodies.map(({ length }) => length));
    client.socket.destroy();
  });

  it('does not mind a request cut anywhere', async () => {
    const bytes = `POST / HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n${get('other.example')}`;
    for (let cut = 1; cut < bytes.length; cut += 3) {
      const client = await rig.dial();
      await client.send(bytes.slice(0, cut));
      await expect.poll(() => rig.flows.openFlows, { interval: 1 }).toBe(1);
      await client.send(bytes.slice(cut));
      await until(client, 2);
      expect(answered(client)).toEqual(['allowed.example/', 'other.example/']);
      client.finish();
      await client.end();
    }
  });

  it('dials again where the server has closed in between', async () => {
    const client = await rig.dial();
    await client.send(get('allowed.example', '/1'));
    await until(client, 1);
    sites.a.server.closeAllConnections();
    await client.send(get('allowed.example', '/2'));
    await until(client, 2);
    expect(sites.a.connections).toBe(2);
    expect(rig.decided).toHaveLength(1);
    client.socket.destroy();
  });

  it('is judged by the policy in force when a request comes', async () => {
    const client = await rig.dial();
    await client.send(get('allowed.example', '/1'));
    await until(client, 1);
    rig.policy = compiled([rule('other', ['other.example'], { ports: [80] })]);
    await client.send(get('other.example', '/2'));
    await until(client, 2);
    await client.send(get('allowed.example', '/3'));
    await client.end();
    expect(client.text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 403']);
    expect(sites.a.seen).toHaveLength(1);
    expect(rig.decided.map(({ hostname, action, rule }) => `${hostname} ${action} ${rule}`)).toEqual([
      'allowed.example allow site',
      'other.example allow other',
      'allowed.example deny null',
    ]);
    expect(rig.closed.map(({ hostname, end }) => `${hostname} ${end}`)).toEqual([
      'allowed.example policy_changed',
      'allowed.example refused',
      'other.example server_fin',
    ]);
  });

  it('has one decision more where another rule allows the host from now on', async () => {
    const client = await rig.dial();
    await client.send(get('allowed.example'));
    await until(client, 1);
    rig.policy = compiled([rule('renamed', ['allowed.example'], { ports: [80] })]);
    await client.send(get('allowed.example') + get('allowed.example'));
    await until(client, 3);
    expect(rig.decided.map(({ rule }) => rule)).toEqual(['site', 'renamed']);
    client.socket.destroy();
  });

  it('keeps a bounded number of connections to hosts', async () => {
    const port = sites.a.port;
    const wide = await HttpRig.listen({ servers: { '*': port }, wildcard: true });
    scope.defer(() => wide.close());
    const client = await wide.dial();
    for (let i = 0; i < 40; i++) {
      await client.send(get(`h${i}.wild.example`));
      await until(client, i + 1);
    }
    const open = await new Promise(resolve =>
      sites.a.server.getConnections((_error, count) => resolve(count)),
    );
    expect(open).toBeLessThanOrEqual(17);
    client.finish();
    await client.end();
    expect(wide.decided).toHaveLength(40);
    expect(wide.closed).toHaveLength(40);
  });
});
