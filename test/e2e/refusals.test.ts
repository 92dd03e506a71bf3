import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import { hasCommand, runCommand } from '../support/command.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { connectRequest, openTunnel, SOCKS_GREETING, socksRequest } from '../support/tunnel.ts';
import { Upstream } from '../support/upstream.ts';

const deniedHello = buildClientHello({ serverName: 'denied.example' });
/** Fatal alert, access_denied (RFC 8446 §6). */
const ACCESS_DENIED = Buffer.from([21, 3, 3, 0, 2, 2, 49]);
const withOpenssl = it.skipIf(!hasCommand('openssl'));

describePlanes('what a refused client sees', dataplane => {
  const scope = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
  });
  afterAll(() => scope.close());

  describe.each([
    ['alert', 'fin'],
    ['reset', 'reset'],
    ['drop', 'fin'],
  ] as const)('onDeny: %s', (onDeny, how) => {
    const inner = new Scope();
    let daemon: TestDaemon;
    /** For clients that are meant to be too slow. */
    let hasty: TestDaemon;

    beforeAll(async () => {
      const common = { dataplane, upstreamPort: upstream.port, config: { onDeny } };
      daemon = await startEgress(common);
      inner.defer(() => daemon.kill());
      hasty = await startEgress({ ...common, limits: { helloTimeout: '300ms' } });
      inner.defer(() => hasty.kill());
    });
    afterAll(async () => {
      await inner.close();
      pairRecords(daemon.lines);
      pairRecords(hasty.lines);
    });

    const isAlert = onDeny === 'alert';

    it('a TLS client', async () => {
      const client = await Peer.dial(daemon.port('tls'));
      await client.send(deniedHello);
      expect(await client.end()).toBe(how);
      expect(client.bytes).toEqual(isAlert ? ACCESS_DENIED : Buffer.alloc(0));
      const { decision, close } = await daemon.flow(client.port);
      expect(decision).toMatchObject({
        action: 'deny',
        state: 'NO_MATCH',
        reason: 'not_allowed',
        rule: null,
      });
      expect(decision.msg).toBe(
        'Gateway=test-gateway S_IP=127.0.0.1 D_IP=- hostname=denied.example state=NO_MATCH drop_reason=NOT_ALLOWED',
      );
      expect(close).toMatchObject({ end: 'refused', bytes_out: 0, bytes_in: 0 });
    });

    it('a CONNECT client', async () => {
      const client = await Peer.dial(daemon.port('proxy'));
      await client.send(connectRequest(`denied.example:${upstream.port}`));
      expect(await client.end()).toBe(how);
      const [head = '', body] = client.text.split('\r\n\r\n');
      if (isAlert) {
        expect(head.split('\r\n')[0]).toBe('HTTP/1.1 403 Forbidden');
        expect(head).toContain(
          'Proxy-Status: test-gateway; error=http_request_denied; details="not_allowed"',
        );
        expect(body).toContain(`test-gateway refused CONNECT denied.example:${upstream.port}: not_allowed`);
      } else {
        expect(client.received).toBe(0);
      }
      expect((await daemon.flow(client.port)).decision).toMatchObject({
        protocol: 'connect',
        reason: 'not_allowed',
      });
    });

    it('a SOCKS5 client', async () => {
      const client = await Peer.dial(daemon.port('proxy'));
      await client.send(SOCKS_GREETING);
      await client.atLeast(2);
      await client.send(socksRequest('denied.example', upstream.port));
      expect(await client.end()).toBe(how);
      // RFC 1928 §6: connection not allowed by ruleset.
      expect([...client.bytes.subarray(0, 4)]).toEqual(isAlert ? [5, 0, 5, 2] : [5, 0]);
      expect((await daemon.flow(client.port)).decision).toMatchObject({
        protocol: 'socks5',
        reason: 'not_allowed',
      });
    });

    it.each(['connect', 'socks5'] as const)(
      'a client whose hello names another host than its %s request',
      async kind => {
        const client = await openTunnel(kind, daemon.port('proxy'), 'allowed.example', upstream.port);
        const granted = client.received;
        await client.send(deniedHello);
        expect(await client.end()).toBe(how);
        expect(client.bytes.subarray(granted)).toEqual(isAlert ? ACCESS_DENIED : Buffer.alloc(0));
        const { decision } = await daemon.flow(client.port);
        expect(decision).toMatchObject({ protocol: 'tls', reason: 'name_mismatch', state: 'DENIED' });
      },
    );

    it.each([
      ['says nothing', deniedHello.subarray(0, 0), 'unknown'],
      ['stops inside its hello', deniedHello.subarray(0, 40), 'tls'],
    ])('a client that %s until helloTimeout', async (_what, bytes, protocol) => {
      const client = await Peer.dial(hasty.port('tls'));
      await client.send(bytes);
      expect(await client.end()).toBe(how);
      const { decision } = await hasty.flow(client.port);
      expect(decision).toMatchObject({ action: 'deny', reason: 'hello_timeout', hostname: null, protocol });
    });

    it('a client that says nothing after CONNECT', async () => {
      const client = await openTunnel('connect', hasty.port('proxy'), 'allowed.example', upstream.port);
      expect(await client.end()).toBe(how);
      const { decision } = await hasty.flow(client.port);
      expect(decision).toMatchObject({
        action: 'deny',
        reason: 'hello_timeout',
        hostname: 'allowed.example',
      });
    });

    it('a client that drips its hello cannot stretch helloTimeout', async () => {
      const client = await Peer.dial(hasty.port('tls'));
      const end = client.end();
      let isOver = false;
      void end.then(() => {
        isOver = true;
      });
      for (let at = 0; at < deniedHello.length - 1 && !isOver; at++) {
        await client.send(deniedHello.subarray(at, at + 1));
        await new Promise(resolve => setTimeout(resolve, 10));
      }
      expect(await end).toMatch(/fin|reset/);
      expect((await hasty.flow(client.port)).decision).toMatchObject({ reason: 'hello_timeout' });
    });

    withOpenssl('openssl s_client gives up', async () => {
      const route = ['-connect', `127.0.0.1:${daemon.port('tls')}`, '-servername', 'denied.example'];
      const { code, stderr } = await runCommand('openssl', ['s_client', '-quiet', ...route]);
      expect(code).not.toBe(0);
      if (isAlert) expect(stderr).toMatch(/alert access denied/i);
    });

    it('nothing was ever dialled', () => {
      expect(upstream.peers).toHaveLength(0);
    });
  });
});
