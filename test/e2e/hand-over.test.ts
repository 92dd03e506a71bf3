import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildClientHello } from '../support/client-hello.ts';
import { ConnectStorm } from '../support/connect-storm.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { type EgressOptions, pairRecords, startEgress } from '../support/egress.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { buildServerHello } from '../support/server-hello.ts';
import { freePort, Upstream } from '../support/upstream.ts';

const answer = buildServerHello();

const scope = new Scope();
const perTest = new Scope();
let upstream: Upstream;

beforeAll(async () => {
  upstream = await Upstream.listen(
    peer => {
      peer.socket.once('data', () => void peer.send(answer));
      peer.socket.on('end', () => peer.finish());
    },
    { keep: false },
  );
  scope.defer(() => upstream.close());
});
afterEach(() => perTest.close());
afterAll(() => scope.close());

interface Place {
  readonly tls: number;
  readonly admin: number;
}

async function place(): Promise<Place> {
  return { tls: await freePort(), admin: await freePort() };
}

function optionsAt(
  { tls, admin }: Place,
  options: Omit<EgressOptions, 'upstreamPort'> & { workers?: number },
): EgressOptions {
  const { workers = 2, config, ...rest } = options;
  return {
    ...rest,
    upstreamPort: upstream.port,
    config: {
      workers,
      admin: { address: `127.0.0.1:${admin}` },
      listeners: [
        { name: 'tls', kind: 'sni', address: `127.0.0.1:${tls}`, upstreamPort: upstream.port },
        { name: 'proxy', kind: 'explicit', address: '127.0.0.1:0' },
      ],
      ...config,
    },
  };
}

async function start(options: EgressOptions): Promise<TestDaemon> {
  const daemon = await startEgress(options);
  perTest.defer(() => daemon.kill());
  return daemon;
}

const TAKE_OVER = ['--take-over'];

describe.skipIf(process.platform !== 'linux')(
  'a daemon that takes over, epoll data plane (Linux only)',
  () => {
    it('under steady connects, again and again: no client is refused or reset, and every flow is recorded once', async () => {
      const at = await place();
      const daemons = [await start(optionsAt(at, { dataplane: 'epoll', args: TAKE_OVER }))];
      const storm = new ConnectStorm(at.tls, answer.length);
      await storm.more(200);
      // With fewer and with more workers than the one before.
      for (const workers of [2, 1, 3]) {
        const before = daemons.at(-1);
        daemons.push(await start(optionsAt(at, { dataplane: 'epoll', args: TAKE_OVER, workers })));
        // As who orders a restart would do it.
        before?.process.kill('SIGTERM');
        expect(await before?.exited).toEqual({ code: 0, signal: null });
        expect(before?.lines.at(-1)).toMatchObject({ event: 'drained', cut: 0 });
        await storm.more(200);
      }
      const { connects, failures } = await storm.end();
      expect(failures).toEqual({});
      await daemons.at(-1)?.stop();
      const flows = daemons.map(daemon => pairRecords(daemon.lines).length);
      expect(flows.reduce((sum, count) => sum + count, 0)).toBe(connects);
      for (const count of flows) expect(count).toBeGreaterThan(0);
    });

    it('leaves open flows with the old one until they end, which then ends by itself', async () => {
      const at = await place();
      const before = await start(optionsAt(at, { dataplane: 'epoll' }));
      const client = await Peer.dial(at.tls);
      await client.send(buildClientHello());
      await client.atLeast(answer.length);
      const after = await start(optionsAt(at, { dataplane: 'epoll', args: TAKE_OVER }));
      expect(await before.line(line => line.event === 'drain')).toMatchObject({
        trigger: 'take-over',
        open_flows: 1,
      });
      // The admin address is the new one's.
      const status = await fetch(`http://127.0.0.1:${at.admin}/api/v1/status`);
      expect(await status.json()).toMatchObject({ pid: after.process.pid, state: 'ready' });
      await client.send('still here');
      client.finish();
      await client.end();
      expect(await before.exited).toEqual({ code: 0, signal: null });
      expect((await before.flow(client.port)).close).toMatchObject({ end: 'client_fin' });
    });

    it('shows the token that the admin address asks for', async () => {
      const at = await place();
      const directory = mkdtempSync(join(tmpdir(), 'sallyport-token-'));
      perTest.defer(() => rmSync(directory, { recursive: true }));
      const tokenFile = join(directory, 'token');
      writeFileSync(tokenFile, 'a-token-of-some-length\n', { mode: 0o600 });
      const admin = { address: `127.0.0.1:${at.admin}`, tokenFile };
      const withToken = (args: readonly string[], more: object) => {
        const options = optionsAt(at, { dataplane: 'epoll', args });
        return { ...options, config: { ...options.config, admin: { ...admin, ...more } } };
      };
      const before = await start(withToken([], {}));
      const asked = startEgress(withToken(TAKE_OVER, { tokenFile: undefined }));
      await expect(asked).rejects.toThrow('does not hand over: 401');
      await start(withToken(TAKE_OVER, {}));
      expect(await before.exited).toEqual({ code: 0, signal: null });
    });

    it('that cannot start leaves the old one as it was', async () => {
      const at = await place();
      const before = await start(optionsAt(at, { dataplane: 'epoll' }));
      const other = await Upstream.listen();
      perTest.defer(() => other.close());
      const broken = optionsAt(at, { dataplane: 'epoll', args: TAKE_OVER });
      const listeners = [
        { name: 'tls', kind: 'sni', address: `127.0.0.1:${at.tls}`, upstreamPort: upstream.port },
        { name: 'front', kind: 'sni', address: `127.0.0.1:${other.port}` },
      ];
      await expect(startEgress({ ...broken, config: { ...broken.config, listeners } })).rejects.toThrow();
      const ready = await fetch(`http://127.0.0.1:${at.admin}/-/ready`);
      expect(ready.status).toBe(200);
      const storm = new ConnectStorm(at.tls, answer.length, 2);
      await storm.more(20);
      expect((await storm.end()).failures).toEqual({});
      expect(await before.stop()).toEqual({ code: 0, signal: null });
    });
  },
);

describePlanes('one daemon too many', dataplane => {
  it('is told that the address is in use, though the kernel would let it join', async () => {
    const at = await place();
    await start(optionsAt(at, { dataplane }));
    const second = startEgress(optionsAt({ ...at, admin: await freePort() }, { dataplane }));
    await expect(second).rejects.toThrow(
      `listener tls: cannot listen on 127.0.0.1:${at.tls}: address already in use`,
    );
  });

  it('with --take-over and nobody there, starts as usual', async () => {
    const daemon = await start(optionsAt(await place(), { dataplane, args: TAKE_OVER }));
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  });

  it('with --take-over, and something else at the admin address: says so', async () => {
    const at = await place();
    const stranger = await Upstream.listen(
      peer => void peer.send('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'),
    );
    perTest.defer(() => stranger.close());
    const daemon = startEgress(optionsAt({ ...at, admin: stranger.port }, { dataplane, args: TAKE_OVER }));
    await expect(daemon).rejects.toThrow('does not hand over: 404');
  });
});
