import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../support/command.ts';
import { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { FLOW_HELLO, openFlow } from '../support/open-flow.ts';
import { Peer } from '../support/peer.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { listenOn, Upstream } from '../support/upstream.ts';

describePlanes('the end of the daemon', dataplane => {
  const scope = new Scope();
  const perTest = new Scope();
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await Upstream.listen();
    scope.defer(() => upstream.close());
  });
  afterEach(() => perTest.close());
  afterAll(() => scope.close());

  async function start(
    limits: Readonly<Record<string, string>>,
    env: NodeJS.ProcessEnv = {},
  ): Promise<TestDaemon> {
    const daemon = await startEgress({ dataplane, upstreamPort: upstream.port, limits, env });
    perTest.defer(() => daemon.kill());
    return daemon;
  }

  const open = (daemon: TestDaemon) => openFlow(daemon, upstream, perTest);

  describe('by signal', () => {
    it.each(['SIGTERM', 'SIGINT'] as const)('%s without open flows: ends with 0', async signal => {
      const daemon = await start({ drainTimeout: '60s' });
      daemon.process.kill(signal);
      expect(await daemon.exited).toEqual({ code: 0, signal: null });
      expect(daemon.lines.at(-1)).toMatchObject({ event: 'drained', trigger: signal });
    });

    it('SIGTERM: accepts no more, is not ready, lets open flows end by themselves, then ends with 0', async () => {
      const daemon = await start({ drainTimeout: '60s' });
      const { client, server } = await open(daemon);
      const port = daemon.port('tls');
      daemon.process.kill('SIGTERM');
      await daemon.line(line => line.event === 'drain');
      await until('the listener is closed', async () => !(await accepts(port)));
      await until('the explicit listener is closed', async () => !(await accepts(daemon.port('proxy'))));
      const ready = await fetch(`${daemon.admin}/-/ready`);
      expect(ready.status).toBe(503);
      expect(await ready.text()).toBe('draining\n');

      await client.send('still here');
      await server.atLeast(FLOW_HELLO.length + 'still here'.length);
      client.finish();
      server.finish();
      expect(await client.end()).toBe('fin');
      expect(await daemon.exited).toEqual({ code: 0, signal: null });
      expect((await daemon.flow(client.port)).close).toMatchObject({
        end: 'client_fin',
        bytes_out: server.received,
      });
    });

    it('SIGTERM: flows that do not end are cut at drainTimeout, which ends with 0', async () => {
      const daemon = await start({ drainTimeout: '300ms' });
      const { client, server } = await open(daemon);
      const early = await Peer.dial(daemon.port('tls'));
      perTest.defer(() => early.socket.destroy());
      await early.send(FLOW_HELLO.subarray(0, 20));
      await until('both flows are open', async () => {
        return (await daemon.metric('sallyport_open_flows', '{listener="tls"}')) === 2;
      });
      daemon.process.kill('SIGTERM');
      expect(await client.end()).toBe('reset');
      expect(await server.end()).toBe('reset');
      expect(await daemon.exited).toEqual({ code: 0, signal: null });
      expect((await daemon.flow(client.port)).close).toMatchObject({
        end: 'drained',
        bytes_out: FLOW_HELLO.length,
      });
      expect((await daemon.flow(early.port)).close).toMatchObject({ end: 'drained', bytes_out: 0 });
      expect(daemon.lines.at(-1)).toMatchObject({ event: 'drained' });
    });

    it('a second SIGTERM ends at once', async () => {
      const daemon = await start({ drainTimeout: '10m' });
      const { client } = await open(daemon);
      daemon.process.kill('SIGTERM');
      await daemon.line(line => line.event === 'drain');
      daemon.process.kill('SIGTERM');
      expect((await daemon.exited).code).toBe(1);
      expect(await client.end()).toMatch(/fin|reset/);
    });

    it('SIGUSR1 opens no inspector and changes nothing', async () => {
      const daemon = await start({});
      daemon.process.kill('SIGUSR1');
      await daemon.line(line => line.event === 'signal');
      const listening = await runCommand('ss', ['-H', '-l', '-t', '-n', '-p']);
      const own = listening.stdout.split('\n').filter(line => line.includes(`pid=${daemon.process.pid},`));
      expect(own.length).toBeGreaterThan(2);
      expect(own.filter(line => line.includes(':9229'))).toEqual([]);
      expect(await daemon.metric('sallyport_config_last_reload_successful')).toBe(1);
      expect(daemon.output()).not.toMatch(/debugger/i);
    });
  });

  describe('by a fault', () => {
    /** A preload that breaks the main thread from inside, on SIGUSR2. For a worker, see worker-death.test.ts. */
    function sabotage(act: string): NodeJS.ProcessEnv {
      const directory = mkdtempSync(join(tmpdir(), 'sallyport-sabotage-'));
      perTest.defer(() => rmSync(directory, { recursive: true }));
      const preload = join(directory, 'sabotage.cjs');
      writeFileSync(
        preload,
        `if (require('node:worker_threads').isMainThread) process.on('SIGUSR2', () => { ${act} });`,
      );
      return { NODE_OPTIONS: `--require ${preload}` };
    }

    async function expectFatal(daemon: TestDaemon): Promise<void> {
      expect(await daemon.exited).toEqual({ code: 1, signal: null });
      const fatal = daemon.lines.find(line => line.event === 'fatal');
      expect(fatal).toMatchObject({ level: 'error', msg: expect.stringContaining('injected fault') });
    }

    it.each([
      ['an exception', `throw new Error('injected fault');`],
      ['a rejection', `Promise.reject(new Error('injected fault'));`],
    ])('%s that nobody catches, in the main thread, with open flows', async (_what, act) => {
      const daemon = await start({ drainTimeout: '10m' }, sabotage(act));
      const { client } = await open(daemon);
      daemon.process.kill('SIGUSR2');
      await expectFatal(daemon);
      expect(await client.end()).toMatch(/fin|reset/);
    });

    it('an exception while it drains', async () => {
      const daemon = await start({ drainTimeout: '10m' }, sabotage(`throw new Error('injected fault');`));
      const { client } = await open(daemon);
      daemon.process.kill('SIGTERM');
      await daemon.line(line => line.event === 'drain');
      daemon.process.kill('SIGUSR2');
      await expectFatal(daemon);
      expect(await client.end()).toMatch(/fin|reset/);
    });
  });

  describe('before it began', () => {
    const launch = (
      config: Readonly<Record<string, unknown>>,
      policy: Record<string, unknown> | string = { rules: [] },
    ) => {
      const daemon = TestDaemon.launch({
        policy: typeof policy === 'string' ? policy : { mode: 'observe', ...policy },
        config: { dataplane, ...config },
      });
      perTest.defer(() => daemon.kill());
      return daemon;
    };

    it.each(['a listener', 'the admin server'])(
      '%s whose port is taken: says so and ends with 1',
      async what => {
        const server = createServer();
        const port = await listenOn(server);
        perTest.defer(() => server.close());
        const taken = { address: `127.0.0.1:${port}` };
        const isListener = what === 'a listener';
        const daemon = launch(
          isListener ? { listeners: [{ name: 'front', kind: 'sni', ...taken }] } : { admin: taken },
        );
        expect(await daemon.exited).toEqual({ code: 1, signal: null });
        const name = isListener ? 'listener front' : 'admin';
        expect(daemon.output()).toContain(
          `${name}: cannot listen on 127.0.0.1:${port}: address already in use`,
        );
        expect(daemon.output()).not.toMatch(/^\s+at /m);
      },
    );

    it('a broken configuration: says where, and ends with 1', async () => {
      const daemon = launch({ listenerz: [], limits: { helloTimeout: '5 parsecs' } });
      expect(await daemon.exited).toEqual({ code: 1, signal: null });
      expect(daemon.output()).toMatch(/sallyport\.yaml:\d+:\d+: .*listenerz.*did you mean.*listeners/);
      expect(daemon.output()).toMatch(/sallyport\.yaml:\d+:\d+: limits\.helloTimeout: /);
      expect(daemon.output()).not.toMatch(/^\s+at /m);
    });

    it('a broken policy: says where, and ends with 1', async () => {
      const daemon = launch({}, 'version: 1\nmode: enforce\nrules:\n  - name: open\n    hosts: ["*.com"]\n');
      expect(await daemon.exited).toEqual({ code: 1, signal: null });
      expect(daemon.output()).toMatch(/policy\.yaml:5:\d+: rules\[0\]\.hosts\[0\]: /);
    });
  });
});

/** Whether something listens on a port of this host. */
function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
