import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandResult, runCommand } from '../support/command.ts';
import type { LogLine, TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { describePlanes } from '../support/planes.ts';
import { PostgresCluster, type PsqlTarget, postgresObstacle, psqlArguments } from '../support/postgres.ts';
import { Scope } from '../support/scope.ts';
import { connectRequest } from '../support/tunnel.ts';
import { freePort, listenOn } from '../support/upstream.ts';

const IS_ENCRYPTED = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
const MEGABYTE = `select repeat('x', 1048576)`;
const obstacle = postgresObstacle();

const shared = new Scope();
/** Of the server with TLS, and of the one without. */
let ports: { readonly tls: number; readonly plain: number } = { tls: 0, plain: 0 };

beforeAll(async () => {
  if (obstacle !== null) return;
  const cluster = new PostgresCluster(['allowed.example']);
  shared.defer(() => cluster.close());
  ports = { tls: await freePort(), plain: await freePort() };
  for (const hasTls of [true, false]) {
    const port = hasTls ? ports.tls : ports.plain;
    const server = await cluster.start(['127.0.0.1'], port, { hasTls });
    shared.defer(() => server.close());
  }
});
afterAll(() => shared.close());

describePlanes(`PostgreSQL${obstacle === null ? '' : ` (skipped: ${obstacle})`}`, dataplane => {
  const scope = new Scope();
  afterAll(() => scope.close());
  const daemons = new Map<string, Promise<TestDaemon>>();
  /** A daemon whose `tls` listener leads to `upstreamPort`. */
  function egress(upstreamPort: number, mode: 'enforce' | 'observe' = 'enforce'): Promise<TestDaemon> {
    const key = `${upstreamPort} ${mode}`;
    const daemon = daemons.get(key) ?? startEgress({ dataplane, upstreamPort, mode });
    if (!daemons.has(key)) scope.defer(async () => (await daemon).stop());
    daemons.set(key, daemon);
    return daemon;
  }

  /** Runs psql against a port of this host, and waits for the records of as many flows. */
  async function psql(
    daemon: TestDaemon,
    port: number,
    target: Pick<PsqlTarget, 'sslmode'> & Partial<PsqlTarget>,
    { query = IS_ENCRYPTED, flows = 1 } = {},
  ): Promise<{ result: CommandResult; decisions: LogLine[]; closes: LogLine[] }> {
    const from = daemon.lines.length;
    const to = { host: 'allowed.example', hostaddr: '127.0.0.1', port, ...target };
    const result = await runCommand('psql', psqlArguments(to, query));
    const closes = await daemon.collect(line => line.event === 'close', flows, from);
    const decisions = await daemon.collect(line => line.event === 'decision', flows, from);
    return { result, decisions, closes };
  }

  /** A port of this host that leads into a CONNECT tunnel. */
  async function tunnel(daemon: TestDaemon, authority: string): Promise<number> {
    const server = createServer(client => {
      const proxy = connect({ port: daemon.port('proxy'), host: '127.0.0.1' });
      for (const socket of [client, proxy]) socket.on('error', () => client.destroy());
      proxy.write(connectRequest(authority));
      proxy.once('data', () => client.pipe(proxy).pipe(client));
    });
    scope.defer(() => server.close());
    return listenOn(server);
  }

  const test = it.skipIf(obstacle !== null);

  test.each(['require', 'prefer'] as const)(
    'an allowed name is let through with sslmode=%s',
    async sslmode => {
      const daemon = await egress(ports.tls);
      const { result, decisions } = await psql(daemon, daemon.port('tls'), { sslmode, gssencmode: 'prefer' });
      expect(result).toMatchObject({ code: 0, stdout: 't\n' });
      expect(decisions).toMatchObject([
        {
          hostname: 'allowed.example',
          protocol: 'tls',
          action: 'allow',
          rule: 'upstream',
          dst_port: ports.tls,
        },
      ]);
    },
  );

  test('bulk is let through, and all bytes are counted', async () => {
    const daemon = await egress(ports.tls);
    const port = daemon.port('tls');
    const { result, closes } = await psql(daemon, port, { sslmode: 'require' }, { query: MEGABYTE });
    expect(result.stdout).toBe(`${'x'.repeat(1_048_576)}\n`);
    expect(closes[0]?.bytes_in).toBeGreaterThan(1_048_576);
  });

  test('another name is refused by a TLS alert', async () => {
    const daemon = await egress(ports.tls);
    const target = { host: 'denied.example', sslmode: 'require' } as const;
    const { result, decisions } = await psql(daemon, daemon.port('tls'), target);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('alert access denied');
    expect(decisions).toMatchObject([{ hostname: 'denied.example', action: 'deny', reason: 'not_allowed' }]);
  });

  test('another name is refused with sslmode=prefer too, and so is what it falls back to', async () => {
    const daemon = await egress(ports.tls);
    const target = { host: 'denied.example', sslmode: 'prefer' } as const;
    const { result, decisions } = await psql(daemon, daemon.port('tls'), target, { flows: 2 });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(decisions.map(({ reason }) => reason).sort()).toEqual(['not_allowed', 'not_tls']);
  });

  test('a session in the clear is refused in words that psql shows', async () => {
    const daemon = await egress(ports.tls);
    const { result, decisions } = await psql(daemon, daemon.port('tls'), { sslmode: 'disable' });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/FATAL: {2}sallyport refused the connection: not_tls/);
    expect(result.stderr).toContain('use sslmode=require');
    expect(decisions).toMatchObject([{ hostname: null, protocol: 'tcp', action: 'deny', reason: 'not_tls' }]);
  });

  test('a server without TLS is not reached', async () => {
    const daemon = await egress(ports.plain);
    const { result, closes } = await psql(daemon, daemon.port('tls'), { sslmode: 'require' });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(closes).toMatchObject([{ end: 'tls_refused', bytes_out: 8, bytes_in: 1 }]);
  });

  test('a tunnel lets the name of the tunnel through, and no other', async () => {
    const daemon = await egress(ports.tls);
    const port = await tunnel(daemon, `allowed.example:${ports.tls}`);
    const allowed = await psql(daemon, port, { sslmode: 'require' });
    expect(allowed.result).toMatchObject({ code: 0, stdout: 't\n' });
    const other = await psql(daemon, port, { host: 'denied.example', sslmode: 'require' });
    expect(other.result).toMatchObject({ code: 2, stdout: '' });
    expect(other.decisions).toMatchObject([{ action: 'deny', reason: 'name_mismatch' }]);
  });

  test('observing, a server without TLS says so itself, and the session goes on in the clear', async () => {
    const daemon = await egress(ports.plain, 'observe');
    const port = await tunnel(daemon, `allowed.example:${ports.plain}`);
    const { result, decisions } = await psql(daemon, port, { sslmode: 'prefer' });
    expect(result).toMatchObject({ code: 0, stdout: 'f\n' });
    expect(decisions).toMatchObject([{ action: 'would-deny', reason: 'not_tls', protocol: 'tcp' }]);
  });

  test('observing, a server with TLS is asked itself, and the name is seen', async () => {
    const daemon = await egress(ports.tls, 'observe');
    const port = await tunnel(daemon, `127.0.0.1:${ports.tls}`);
    const { result, decisions } = await psql(daemon, port, { sslmode: 'require' });
    expect(result).toMatchObject({ code: 0, stdout: 't\n' });
    expect(decisions).toMatchObject([{ hostname: 'allowed.example', protocol: 'tls', action: 'would-deny' }]);
  });
});
