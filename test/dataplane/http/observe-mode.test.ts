import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../support/scope.ts';
import { type HttpRigOptions, startRig } from './rig.ts';
import { Site } from './site.ts';

const CLOSE = 'Connection: close\r\n\r\n';
const get = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\n${CLOSE}`;

describe('in observe mode', () => {
  let scope: Scope;
  let site: Site;

  beforeEach(async () => {
    scope = new Scope();
    site = await Site.listen();
    scope.defer(() => site.close());
  });
  afterEach(() => scope.close());

  const rigWith = (options: HttpRigOptions = {}) =>
    startRig(scope, { mode: 'observe', servers: { '*': site.port }, ...options });

  it.each([
    ['is allowed', 'allowed.example', 'allow MATCHED - site; allowed.example 198.51.100.200:80'],
    ['is not allowed', 'evil.example', 'would-deny NO_MATCH not_allowed -; evil.example 198.51.100.200:80'],
    ['does not resolve', 'gone.example', 'allow MATCHED - site; gone.example 198.51.100.200:80'],
    ['is an address', '192.0.2.1', 'would-deny NO_MATCH no_hostname -; - 198.51.100.200:80'],
  ])('a host that %s is served by where the client was going', async (_what, host, decision) => {
    const rig = await rigWith();
    expect(await rig.ask(get(host))).toMatch(/^HTTP\/1\.1 200 /);
    expect(rig.decisions).toEqual([decision]);
    expect(rig.dialed).toEqual(['198.51.100.200:80']);
    expect(site.hosts).toEqual([host]);
  });

  it('a private address is reported and a forbidden one refused', async () => {
    const inside = await rigWith({ going: '10.0.0.5' });
    expect(await inside.ask(get('allowed.example'))).toMatch(/^HTTP\/1\.1 200 /);
    expect(inside.decided).toMatchObject([{ action: 'would-deny', reason: 'destination_forbidden' }]);
    const meta = await rigWith({ going: '169.254.169.254' });
    expect(await meta.ask(get('allowed.example'))).toMatch(/^HTTP\/1\.1 403 /);
    expect(meta.decided).toMatchObject([{ action: 'deny', reason: 'destination_forbidden' }]);
  });

  it.each([
    ['no HTTP', 'HELO there\r\n', 'malformed_request', 'request-line'],
    ['bare line feeds', 'GET / HTTP/1.1\nHost: allowed.example\n\n', 'malformed_request', 'line-end'],
    [
      'two Host lines',
      `GET / HTTP/1.1\r\nHost: a.example\r\n${get('b.example').slice(16)}`,
      'malformed_request',
      'host-duplicate',
    ],
    ['no Host line', `GET / HTTP/1.0\r\n${CLOSE}`, 'malformed_request', 'host-missing'],
    [
      'the preface of HTTP/2 and what follows',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04',
      'malformed_request',
      'http2-preface',
    ],
    ['an unknown method', get('allowed.example').replace('GET', 'BREW'), 'malformed_request', 'method'],
    [
      'both lengths, with the body',
      `POST / HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nrest`,
      'malformed_request',
      'framing-conflict',
    ],
    ['too large a head', `GET / HTTP/1.1\r\nX: ${'a'.repeat(16_384)}`, 'hello_too_large', null],
  ])(
    'a first request that cannot be judged is given back whole, without a record: %s',
    async (_what, bytes, reason, detail) => {
      const rig = await rigWith();
      const peer = await rig.dial();
      await peer.send(Buffer.from(bytes, 'latin1'));
      await peer.end();
      expect(rig.givenBack).toEqual([{ text: bytes, reason, detail }]);
      expect(rig.decided).toEqual([]);
      expect(rig.over).toBe(0);
      expect(rig.flows.openFlows).toBe(0);
    },
  );

  it('a head that does not come to its end is given back after the timeout', async () => {
    const rig = await rigWith({ settings: { helloTimeoutMs: 50 } });
    const peer = await rig.dial();
    await peer.send('GET / HTTP/1.1\r\n');
    await peer.end();
    expect(rig.givenBack).toEqual([{ text: 'GET / HTTP/1.1\r\n', reason: 'hello_timeout', detail: null }]);
  });

  it('a client that finishes before its head is whole is given back', async () => {
    const rig = await rigWith();
    const peer = await rig.dial();
    await peer.send('GET / HTTP/1.1\r\n');
    peer.finish();
    await peer.end();
    expect(rig.givenBack).toMatchObject([{ reason: 'client_closed' }]);
  });

  it('a later request that cannot be judged is refused: part of the connection is no longer the client’s own', async () => {
    const rig = await rigWith();
    const answer = await rig.ask('GET / HTTP/1.1\r\nHost: allowed.example\r\n\r\nGET / HTTP/1.1\r\n\r\n');
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 400']);
    expect(rig.decided).toMatchObject([{ action: 'allow' }, { action: 'deny', detail: 'host-missing' }]);
  });

  describe('on an explicit listener', () => {
    it('a host that is not allowed is resolved and served', async () => {
      const rig = await rigWith({ listener: 'explicit' });
      expect(await rig.ask(get('evil.example').replace('/', 'http://evil.example/'))).toMatch(/ 200 /);
      expect(rig.decisions).toEqual(['would-deny NO_MATCH not_allowed -; evil.example 198.51.100.66:80']);
    });

    it('an address is dialled', async () => {
      const rig = await rigWith({ listener: 'explicit' });
      expect(await rig.ask(get('192.0.2.1').replace('/', 'http://192.0.2.1/'))).toMatch(/ 200 /);
      expect(rig.dialed).toEqual(['192.0.2.1:80']);
    });

    it('what cannot be judged is refused: nobody knows where it was going', async () => {
      const rig = await rigWith({ listener: 'explicit' });
      expect(await rig.ask('GET / HTTP/1.1\nHost: allowed.example\n\n')).toMatch(/ 400 /);
      expect(rig.givenBack).toEqual([]);
    });
  });
});

describe('in enforce mode', () => {
  let scope: Scope;
  let site: Site;

  beforeEach(async () => {
    scope = new Scope();
    site = await Site.listen();
    scope.defer(() => site.close());
  });
  afterEach(() => scope.close());

  async function served(destination: 'resolve' | 'verify' | 'original', going: string) {
    const rig = await startRig(scope, { destination, going, servers: { '*': site.port } });
    const answer = await rig.ask(get('allowed.example'));
    return `${/ (\d+) /.exec(answer)?.[1]} ${rig.dialed.join()}`;
  }

  it('the address that is dialled is one that the name resolves to, unless the listener says otherwise', async () => {
    expect(await served('resolve', '198.51.100.200')).toBe('200 198.51.100.7:80');
    expect(await served('resolve', '198.51.100.7')).toBe('200 198.51.100.7:80');
    expect(await served('verify', '198.51.100.7')).toBe('200 198.51.100.7:80');
    expect(await served('verify', '198.51.100.200')).toBe('403 ');
    expect(await served('original', '198.51.100.200')).toBe('200 198.51.100.200:80');
  });
});
