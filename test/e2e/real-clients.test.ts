import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer, connect as h2Connect } from 'node:http2';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { hasCommand, runCommand } from '../support/command.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { startEgress } from '../support/egress.ts';
import { describePlanes } from '../support/planes.ts';
import { Scope } from '../support/scope.ts';
import { openTunnel, type TunnelKind } from '../support/tunnel.ts';
import { listenOn } from '../support/upstream.ts';

const NODE_MAJOR = Number(process.versions.node.split('.')[0]);
const withCurl = it.skipIf(!hasCommand('curl'));
const withOpenssl = it.skipIf(!hasCommand('openssl'));
const withPython = it.skipIf(!hasCommand('python3'));

/** What the server says of a request, for the client to print. */
interface Seen {
  readonly alpn: string;
  readonly tls: string;
  readonly path: string;
  readonly body: string;
}

describePlanes('real clients reach an allowed host', dataplane => {
  const scope = new Scope();
  let daemon: TestDaemon;
  let upstreamPort: number;
  let ca: string;
  let caFile: string;
  let url: string;

  beforeAll(async () => {
    const certificate = makeCertificate(['allowed.example']);
    ca = certificate.cert;
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-ca-'));
    scope.defer(() => rmSync(directory, { recursive: true }));
    caFile = join(directory, 'ca.pem');
    writeFileSync(caFile, ca);

    // P-384 alone makes a client that guesses X25519 go through a HelloRetryRequest.
    const server = createSecureServer({ ...certificate, allowHTTP1: true, ecdhCurve: 'P-384:P-256' });
    server.on('request', async (incoming, outgoing) => {
      const socket = incoming.stream?.session?.socket ?? incoming.socket;
      const seen: Seen = {
        alpn: incoming.httpVersion,
        tls: (socket as TLSSocket).getProtocol() ?? '',
        path: incoming.url ?? '',
        body: await text(incoming),
      };
      if (incoming.httpVersionMajor === 1) outgoing.setHeader('connection', 'close');
      outgoing.end(JSON.stringify(seen));
    });
    server.on('upgrade', (_request, socket: Duplex) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.pipe(socket);
    });
    upstreamPort = await listenOn(server);
    scope.defer(() => server.close());
    url = `https://allowed.example:${upstreamPort}/hello`;
    daemon = await startEgress({ dataplane, upstreamPort });
    scope.defer(() => daemon.kill());
  });
  afterAll(() => scope.close());

  const proxyUrl = () => `http://127.0.0.1:${daemon.port('proxy')}`;
  const seenBy = (stdout: string): Seen =>
    JSON.parse(stdout.slice(stdout.indexOf('{'), stdout.lastIndexOf('}') + 1));

  async function curl(...args: string[]): Promise<Seen> {
    const result = await runCommand('curl', ['-sS', '--cacert', caFile, '--max-time', '30', ...args]);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    return seenBy(result.stdout);
  }

  withCurl.each([
    ['TLS 1.2', ['--tls-max', '1.2'], 'TLSv1.2'],
    ['TLS 1.3', ['--tlsv1.3'], 'TLSv1.3'],
  ])('curl with %s, by CONNECT', async (_name, args, tls) => {
    expect(await curl('--http1.1', '-x', proxyUrl(), ...args, url)).toMatchObject({ tls, alpn: '1.1' });
  });

  withCurl('curl with HTTP/2, by CONNECT', async () => {
    expect(await curl('--http2', '-x', proxyUrl(), '-d', 'asked', url)).toMatchObject({
      alpn: '2.0',
      body: 'asked',
    });
  });

  withCurl('curl by SOCKS5 with names', async () => {
    const proxy = `127.0.0.1:${daemon.port('proxy')}`;
    expect(await curl('--socks5-hostname', proxy, url)).toMatchObject({ path: '/hello' });
  });

  withCurl('curl led to the sni listener', async () => {
    const there = `allowed.example:${upstreamPort}:127.0.0.1:${daemon.port('tls')}`;
    expect(await curl('--connect-to', there, url)).toMatchObject({ path: '/hello' });
  });

  withOpenssl.each([
    ['TLS 1.2', ['-tls1_2'], 'TLSv1.2'],
    ['TLS 1.3', ['-tls1_3'], 'TLSv1.3'],
    ['a HelloRetryRequest', ['-tls1_3', '-groups', 'X25519:P-384'], 'TLSv1.3'],
  ])('openssl s_client with %s, to the sni listener and by CONNECT', async (_name, args, tls) => {
    const direct = ['-connect', `127.0.0.1:${daemon.port('tls')}`];
    const proxied = [
      '-connect',
      `allowed.example:${upstreamPort}`,
      '-proxy',
      `127.0.0.1:${daemon.port('proxy')}`,
    ];
    for (const route of [direct, proxied]) {
      const result = await runCommand(
        'openssl',
        [
          's_client',
          '-quiet',
          '-servername',
          'allowed.example',
          '-verify_return_error',
          '-CAfile',
          caFile,
          ...route,
          ...args,
        ],
        { input: 'GET /s_client HTTP/1.0\r\n\r\n' },
      );
      expect(seenBy(result.stdout), result.stderr).toMatchObject({ tls, path: '/s_client' });
    }
  });

  it.each<TunnelKind>(['connect', 'socks5'])('node:https over a %s tunnel', async kind => {
    const { socket } = await openTunnel(kind, daemon.port('proxy'), 'allowed.example', upstreamPort);
    socket.removeAllListeners('data');
    const asked = request(url, {
      method: 'POST',
      createConnection: () => tlsConnect({ socket, servername: 'allowed.example', ca }),
    });
    asked.end('a body');
    const [response] = await once(asked, 'response');
    expect(JSON.parse(await text(response))).toMatchObject({ path: '/hello', body: 'a body' });
  });

  it('node:http2 to the sni listener, many requests at once', async () => {
    const session = h2Connect(url, {
      host: '127.0.0.1',
      port: daemon.port('tls'),
      servername: 'allowed.example',
      ca,
    });
    scope.defer(() => session.destroy());
    const paths = Array.from({ length: 50 }, (_, i) => `/stream/${i}`);
    const answers = await Promise.all(paths.map(path => text(session.request({ ':path': path }))));
    expect(answers.map(answer => JSON.parse(answer).path)).toEqual(paths);
    session.close();
  });

  it('a WebSocket that idles while other flows come and go, then talks again', async () => {
    const { socket } = await openTunnel('connect', daemon.port('proxy'), 'allowed.example', upstreamPort);
    socket.removeAllListeners('data');
    const asked = request(url, {
      headers: { connection: 'Upgrade', upgrade: 'websocket' },
      createConnection: () => tlsConnect({ socket, servername: 'allowed.example', ca }),
    });
    asked.end();
    const [, webSocket] = await once(asked, 'upgrade');
    scope.defer(() => webSocket.destroy());
    const echo = async (frame: string) => {
      webSocket.write(frame);
      const [echoed] = await once(webSocket, 'data');
      expect(String(echoed)).toBe(frame);
    };
    await echo('ping');
    for (let i = 0; i < 50; i++) {
      const other = await openTunnel('connect', daemon.port('proxy'), 'allowed.example', upstreamPort);
      other.socket.removeAllListeners('data');
      const tls = tlsConnect({ socket: other.socket, servername: 'allowed.example', ca });
      await once(tls, 'secureConnect');
      tls.destroy();
    }
    await echo('still there');
  });

  it('fetch, with the name led to the sni listener', async () => {
    const program = `
      const dns = require('node:dns');
      dns.lookup = (host, options, done) => done(null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4);
      fetch('https://allowed.example:${daemon.port('tls')}/fetch').then(r => r.text()).then(t => process.stdout.write(t));`;
    const result = await runCommand(process.execPath, ['-e', program], {
      env: { NODE_EXTRA_CA_CERTS: caFile },
    });
    expect(seenBy(result.stdout), result.stderr).toMatchObject({ path: '/fetch' });
  });

  // Node 20 has no such variable.
  if (NODE_MAJOR >= 24) {
    it('fetch with NODE_USE_ENV_PROXY', async () => {
      const program = `fetch('${url}').then(r => r.text()).then(t => process.stdout.write(t));`;
      const env = { NODE_EXTRA_CA_CERTS: caFile, NODE_USE_ENV_PROXY: '1', HTTPS_PROXY: proxyUrl() };
      const result = await runCommand(process.execPath, ['-e', program], { env });
      expect(seenBy(result.stdout), result.stderr).toMatchObject({ path: '/hello' });
    });
  }

  withPython('Python urllib with HTTPS_PROXY', async () => {
    const program = `
import ssl, urllib.request
context = ssl.create_default_context(cafile=${JSON.stringify(caFile)})
print(urllib.request.urlopen(${JSON.stringify(url)}, data=b"from python", context=context).read().decode())`;
    const result = await runCommand('python3', ['-c', program], { env: { HTTPS_PROXY: proxyUrl() } });
    expect(seenBy(result.stdout), result.stderr).toMatchObject({ body: 'from python' });
  });

  withCurl('a client whose host is not allowed fails, whatever it speaks', async () => {
    const denied = `https://denied.example:${upstreamPort}/`;
    const routes = [
      ['-x', proxyUrl()],
      ['--socks5-hostname', `127.0.0.1:${daemon.port('proxy')}`],
      ['--connect-to', `::127.0.0.1:${daemon.port('tls')}`],
    ];
    for (const route of routes) {
      const { code, stderr } = await runCommand('curl', ['-sS', '-k', ...route, denied]);
      expect(code, stderr).not.toBe(0);
    }
  });
});
