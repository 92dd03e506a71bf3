import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { type DnsServer, startDnsServer } from '../support/dns-server.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { SshServer, sshObstacle } from '../support/ssh.ts';
import { CONNECT_GRANTED, openTunnel, type TunnelKind } from '../support/tunnel.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const GREETING = '220 speaks first\r\n';

/** A ProxyCommand: CONNECT through the proxy, then standard input and output. */
const PROXY_COMMAND = `const [port, target] = process.argv.slice(1);
const socket = require('node:net').connect(Number(port), '127.0.0.1');
socket.write('CONNECT ' + target + ' HTTP/1.1\\r\\nHost: ' + target + '\\r\\n\\r\\n');
let head = '';
socket.on('data', function read(chunk) {
  head += chunk.toString('latin1');
  const end = head.indexOf('\\r\\n\\r\\n');
  if (end < 0) return;
  socket.off('data', read);
  process.stdout.write(Buffer.from(head.slice(end + 4), 'latin1'));
  socket.pipe(process.stdout);
  process.stdin.pipe(socket);
});`;

describePlanes('tcp rules on an explicit listener', dataplane => {
  const scope = new Scope();
  let port = 0;
  let daemon: TestDaemon;
  let dns: DnsServer;
  let moved = '127.0.0.2';

  beforeAll(async () => {
    const server = createServer(socket => {
      socket.on('error', () => {});
      socket.write(GREETING);
      socket.pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    scope.defer(() => server.close());
    port = (server.address() as AddressInfo).port;
    for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.4']) {
      const other = createServer(socket => socket.on('error', () => {}).end(GREETING));
      other.listen(port, address);
      await once(other, 'listening');
      scope.defer(() => other.close());
    }
    dns = await startDnsServer(({ name, type }) =>
      name === 'moving.example' && type === 'A' ? [{ type: 'A', data: moved, ttl: 1 }] : 'NXDOMAIN',
    );
    scope.defer(() => dns.close());
    daemon = await TestDaemon.start({
      policy: {
        rules: [
          { name: 'first', hosts: ['speaks.example', 'moving.example'], ports: [port], protocol: 'tcp' },
          { name: 'block', cidrs: ['127.0.0.4'], ports: [port], protocol: 'tcp' },
        ],
      },
      config: {
        dataplane,
        listeners: [{ name: 'proxy', kind: 'explicit', address: '127.0.0.1:0' }],
        dns: {
          servers: [dns.server],
          hosts: { 'speaks.example': '127.0.0.1', 'other.example': '127.0.0.1' },
        },
        destinations: { allow: ['127.0.0.0/8'] },
      },
    });
    scope.defer(() => daemon.stop());
  });
  afterAll(() => scope.close());

  it.each<TunnelKind>(['connect', 'socks5'])(
    'a server that speaks first is heard after %s, and the rule is named',
    async kind => {
      const peer = await openTunnel(kind, daemon.port('proxy'), 'speaks.example', port);
      const granted = kind === 'connect' ? CONNECT_GRANTED.length : 12;
      expect((await peer.atLeast(granted + GREETING.length)).toString('latin1').slice(granted)).toBe(
        GREETING,
      );
      await peer.send('and so do we');
      await peer.atLeast(granted + GREETING.length + 12);
      peer.finish();
      expect(await peer.end()).toBe('fin');
      const { decision, close } = await daemon.flow(peer.port);
      expect(decision).toMatchObject({
        protocol: 'tcp',
        hostname: 'speaks.example',
        rule: 'first',
        state: 'MATCHED',
        action: 'allow',
        reason: null,
        dst_ip: '127.0.0.1',
        dst_port: port,
      });
      expect(close).toMatchObject({ bytes_out: 12, bytes_in: GREETING.length + 12 });
    },
  );

  it('another name with the same address is not opened', async () => {
    await expect(openTunnel('connect', daemon.port('proxy'), 'other.example', port)).rejects.toThrow('403');
  });

  it('another address is not opened, one in a block is', async () => {
    const ask = (address: string) => openTunnel('connect', daemon.port('proxy'), address, port);
    await expect(ask('127.0.0.5')).rejects.toThrow('403');
    const peer = await ask('127.0.0.4');
    await peer.atLeast(CONNECT_GRANTED.length + GREETING.length);
    peer.finish();
    await peer.end();
    expect((await daemon.flow(peer.port)).decision).toMatchObject({ rule: 'block', hostname: null });
  });

  it('what a name of a rule moves to is opened', async () => {
    const isOpen = (address: string) =>
      openTunnel('connect', daemon.port('proxy'), address, port).then(
        async peer => {
          peer.finish();
          await peer.end();
          return true;
        },
        () => false,
      );
    await until('the first address is open', () => isOpen('127.0.0.2'));
    expect(await isOpen('127.0.0.3')).toBe(false);
    moved = '127.0.0.3';
    await until('the second address is open', () => isOpen('127.0.0.3'));
    expect(await isOpen('127.0.0.2')).toBe(true);
  });

  const obstacle = sshObstacle();
  const title = `OpenSSH goes through${obstacle === null ? '' : ` (skipped: ${obstacle})`}`;
  it.skipIf(obstacle !== null)(title, async () => {
    const ssh = await SshServer.start([`127.0.0.6:${port}`]);
    scope.defer(() => ssh.close());
    daemon.writePolicy({
      rules: [{ name: 'git-ssh', cidrs: ['127.0.0.6'], ports: [port], protocol: 'tcp' }],
    });
    await daemon.line(line => line.event === 'reload');
    const proxy = `ProxyCommand=${process.execPath} -e ${quoted(PROXY_COMMAND)} ${daemon.port('proxy')} %h:%p`;
    const { stdout } = await run('ssh', ssh.client('127.0.0.6', port, 'echo through the gate', [proxy]));
    expect(stdout).toBe('through the gate\n');
  });
});

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
