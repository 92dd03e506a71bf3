import { connect } from 'node:net';
import { buildClientHello } from '../support/client-hello.ts';
import { Peer } from '../support/peer.ts';
import { CONNECT_GRANTED, connectRequest, SOCKS_GREETING, socksRequest } from '../support/tunnel.ts';
import { ANSWER, BULK_BYTES, HTTP_BODY, helloFor, hostOf, RETRY, type Role } from './town.ts';

/** Where a client goes. */
export interface Doors {
  readonly tls: number;
  readonly proxy: number;
  /** The port of the upstreams. */
  readonly upstream: number;
}

/** The records that one flow leaves. A star stands for anything. */
export interface Expected {
  readonly listener: 'tls' | 'proxy';
  readonly hostname: string | null;
  readonly action: 'allow' | 'deny';
  readonly reason: string | null;
  readonly end: string;
}

/** What a client does, and what must come of it. */
export interface Life {
  readonly name: string;
  /** How often, beside the others. */
  readonly weight: number;
  readonly flows: readonly Expected[];
  /** The upstream whose bytes must be the records' to the last one; null: resets lose some, or there is none. */
  readonly counted: Role | null;
  /** Only where a connection that is reset before it was accepted is a flow too. */
  readonly epollOnly?: true;
  /** `turn` counts this client's lives. Throws when the proxy does what it must not. Resolves to the bytes received. */
  play(doors: Doors, turn: number): Promise<number>;
}

/** `limits.helloTimeout` and `limits.helloBytes` that the lives reckon with. */
export const HELLO_TIMEOUT = '4s';
export const HELLO_BYTES = 8 * 1024;
/** The name of a deny rule's host. */
export const FORBIDDEN = hostOf('forbidden');
const FAILING_NAMES = 200;
const SOCKS_GRANT_BYTES = 12;
const DENIED = buildClientHello({ serverName: 'denied.example' });
const NAMELESS = buildClientHello({ serverName: null });
const MALFORMED = buildClientHello({ serverName: 'two..dots' });
const TOO_LARGE = Buffer.concat([
  Buffer.from([22, 3, 1, 0x40, 0]),
  Buffer.from([1, 0, 0x80, 0]),
  Buffer.alloc(16_380),
]);

const allowed = (label: string, end: string, listener: 'tls' | 'proxy' = 'tls'): Expected => ({
  listener,
  hostname: hostOf(label),
  action: 'allow',
  reason: null,
  end,
});
const refused = (
  reason: string,
  hostname: string | null = null,
  listener: 'tls' | 'proxy' = 'tls',
  end = 'refused',
): Expected => ({ listener, hostname, action: 'deny', reason, end });

export const LIVES: readonly Life[] = [
  relayed('served', 30, ANSWER.length),
  relayed('bulk', 1, BULK_BYTES),
  relayed('half', 5, ANSWER.length, async client => client.finish()),
  relayed('retry', 4, RETRY.length + ANSWER.length, async client => {
    await client.atLeast(RETRY.length);
    await client.send(helloFor('retry'));
  }),
  {
    name: 'served, the server ends first',
    weight: 6,
    flows: [allowed('closes', 'server_fin')],
    counted: 'closes',
    play: async ({ tls }) => {
      const client = await saying(tls, helloFor('closes'));
      await ended(client, 'fin');
      client.finish();
      return exactly(client, ANSWER.length);
    },
  },
  {
    name: 'served, the server resets',
    weight: 4,
    flows: [allowed('resets', 'server_reset')],
    counted: null,
    play: async ({ tls }) => ended(await saying(tls, helloFor('resets')), 'reset'),
  },
  {
    name: 'served, the client resets',
    weight: 6,
    flows: [allowed('quits', 'client_reset')],
    counted: null,
    play: async ({ tls }) => {
      const client = await saying(tls, helloFor('quits'));
      await client.atLeast(ANSWER.length);
      client.reset();
      return client.received;
    },
  },
  {
    name: 'another name after a HelloRetryRequest',
    weight: 3,
    flows: [allowed('switched', 'name_mismatch')],
    counted: null,
    play: async ({ tls }) => {
      const client = await saying(tls, helloFor('switched'));
      await client.atLeast(RETRY.length);
      await client.send(DENIED);
      return ended(client, 'reset');
    },
  },
  {
    name: 'an upstream that comes and goes',
    weight: 3,
    flows: [allowed('shaky', '*')],
    counted: null,
    play: async ({ tls }) => {
      const client = await saying(tls, helloFor('shaky'));
      await client.atLeast(ANSWER.length).catch(() => {});
      client.finish();
      await client.end();
      return client.received;
    },
  },
  {
    name: 'an upstream that is not there',
    weight: 2,
    flows: [allowed('gone', 'dial_failed')],
    counted: null,
    play: async ({ tls }) => ended(await saying(tls, helloFor('gone')), 'reset'),
  },
  turnedAway('a name in no rule', 8, DENIED, refused('not_allowed', 'denied.example')),
  turnedAway('a name of a deny rule', 3, helloFor('forbidden'), refused('rule_denied', FORBIDDEN)),
  turnedAway('no name', 2, NAMELESS, refused('no_hostname')),
  turnedAway('a malformed hello', 4, MALFORMED, refused('malformed_hello')),
  turnedAway('a hello without end', 0.5, TOO_LARGE, refused('hello_too_large')),
  turnedAway('no TLS', 3, Buffer.from('SSH-2.0-soak\r\n'), refused('not_tls')),
  turnedAway('a hello that stops', 0.5, helloFor('served').subarray(0, 40), refused('hello_timeout')),
  turnedAway(
    'a name that does not exist',
    1.5,
    helloFor('nowhere'),
    refused('unresolvable', hostOf('nowhere')),
  ),
  {
    name: 'a name whose server fails',
    weight: 1,
    flows: [refused('unresolvable', hostOf('fail-*'))],
    counted: null,
    play: async ({ tls }, turn) => parted(await saying(tls, helloFor(`fail-${turn % FAILING_NAMES}`))),
  },
  turnedAway(
    'a name whose server is silent',
    0.02,
    helloFor('mute'),
    refused('unresolvable', hostOf('mute')),
  ),
  {
    name: 'not a word',
    weight: 3,
    flows: [refused('client_closed')],
    counted: null,
    play: async ({ tls }) => {
      const client = await Peer.dial(tls);
      client.finish();
      return ended(client, 'fin');
    },
  },
  {
    name: 'a hello that is reset',
    weight: 2,
    epollOnly: true,
    flows: [refused('client_closed', null, 'tls', 'client_reset')],
    counted: null,
    play: async ({ tls }) => {
      const client = await saying(tls, helloFor('served').subarray(0, 40));
      client.reset();
      return 0;
    },
  },
  {
    name: 'CONNECT',
    weight: 10,
    flows: [allowed('connect', 'client_fin', 'proxy')],
    counted: 'connect',
    play: async ({ proxy, upstream }) => {
      const client = await granted(proxy, `${hostOf('connect')}:${upstream}`);
      await client.send(helloFor('connect'));
      await client.atLeast(CONNECT_GRANTED.length + ANSWER.length);
      client.finish();
      await ended(client, 'fin');
      return exactly(client, CONNECT_GRANTED.length + ANSWER.length) - CONNECT_GRANTED.length;
    },
  },
  {
    name: 'CONNECT to a name in no rule',
    weight: 3,
    flows: [refused('not_allowed', 'denied.example', 'proxy')],
    counted: null,
    play: async ({ proxy, upstream }) => {
      const client = await saying(proxy, Buffer.from(connectRequest(`denied.example:${upstream}`)));
      await ended(client, 'fin');
      if (!client.text.startsWith('HTTP/1.1 403 ')) throw new Error(`the answer is ${client.text}`);
      client.finish();
      return 0;
    },
  },
  {
    name: 'CONNECT, and another name inside',
    weight: 2,
    flows: [refused('name_mismatch', hostOf('connect'), 'proxy')],
    counted: null,
    play: async ({ proxy, upstream }) => {
      const client = await granted(proxy, `${hostOf('connect')}:${upstream}`);
      await client.send(DENIED);
      return parted(client);
    },
  },
  {
    name: 'CONNECT, and not a word inside',
    weight: 2,
    flows: [refused('client_closed', hostOf('connect'), 'proxy')],
    counted: null,
    play: async ({ proxy, upstream }) => {
      const client = await granted(proxy, `${hostOf('connect')}:${upstream}`);
      client.finish();
      return ended(client, 'fin');
    },
  },
  {
    name: 'CONNECT, and a reset',
    weight: 1,
    flows: [refused('client_closed', hostOf('connect'), 'proxy', 'client_reset')],
    counted: null,
    play: async ({ proxy, upstream }) => {
      const client = await granted(proxy, `${hostOf('connect')}:${upstream}`);
      client.reset();
      return 0;
    },
  },
  {
    name: 'SOCKS5',
    weight: 5,
    flows: [allowed('socks', 'client_fin', 'proxy')],
    counted: 'socks',
    play: async ({ proxy, upstream }) => {
      const client = await greeted(proxy);
      await client.send(socksRequest(hostOf('socks'), upstream));
      await client.atLeast(SOCKS_GRANT_BYTES);
      await client.send(helloFor('socks'));
      await client.atLeast(SOCKS_GRANT_BYTES + ANSWER.length);
      client.finish();
      await ended(client, 'fin');
      return exactly(client, SOCKS_GRANT_BYTES + ANSWER.length) - SOCKS_GRANT_BYTES;
    },
  },
  {
    name: 'SOCKS5 to a name in no rule',
    weight: 2,
    flows: [refused('not_allowed', 'denied.example', 'proxy')],
    counted: null,
    play: async ({ proxy, upstream }) => {
      const client = await greeted(proxy);
      await client.send(socksRequest('denied.example', upstream));
      return parted(client);
    },
  },
  {
    name: 'SOCKS5, and a reset after the greeting',
    weight: 1,
    flows: [refused('client_closed', null, 'proxy', 'client_reset')],
    counted: null,
    play: async ({ proxy }) => {
      const client = await greeted(proxy);
      client.reset();
      return 0;
    },
  },
  {
    name: 'plain HTTP, kept alive, and a host in no rule',
    weight: 5,
    flows: [allowed('http', '*', 'proxy'), refused('not_allowed', 'denied.example', 'proxy')],
    counted: null,
    play: async ({ proxy, upstream }) => {
      const client = await Peer.dial(proxy);
      for (let answers = 1; answers <= 2; answers++) {
        await client.send(request(`${hostOf('http')}:${upstream}`));
        await said(client, HTTP_BODY, answers);
      }
      await client.send(request(`denied.example:${upstream}`));
      await said(client, ' 403 ', 1);
      client.finish();
      await client.end();
      return 0;
    },
  },
  {
    name: 'a malformed request',
    weight: 2,
    flows: [refused('malformed_request', null, 'proxy')],
    counted: null,
    play: async ({ proxy }) => parted(await saying(proxy, Buffer.from('CONNECT nowhere HTTP/1.1\r\n\r\n'))),
  },
];

/** A flow that is relayed whole: `after` is what the client does before it has its answer. */
function relayed(
  role: Role,
  weight: number,
  answerBytes: number,
  after: (client: Peer) => Promise<void> = async () => {},
): Life {
  return {
    name: role,
    weight,
    flows: [allowed(role, 'client_fin')],
    counted: role,
    play: async ({ tls }) => {
      const client = await saying(tls, helloFor(role));
      await after(client);
      await client.atLeast(answerBytes);
      client.finish();
      await ended(client, 'fin');
      return exactly(client, answerBytes);
    },
  };
}

/** A flow that is refused for its first bytes. */
function turnedAway(name: string, weight: number, bytes: Uint8Array, expected: Expected): Life {
  return {
    name,
    weight,
    flows: [expected],
    counted: null,
    play: async ({ tls }) => parted(await saying(tls, bytes)),
  };
}

async function saying(port: number, bytes: Uint8Array): Promise<Peer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const client = new Peer(socket);
  await client.send(bytes);
  return client;
}

async function granted(port: number, authority: string): Promise<Peer> {
  const client = await saying(port, Buffer.from(connectRequest(authority)));
  await client.atLeast(CONNECT_GRANTED.length);
  return client;
}

async function greeted(port: number): Promise<Peer> {
  const client = await saying(port, SOCKS_GREETING);
  await client.atLeast(2);
  return client;
}

function request(authority: string): string {
  return `GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\n\r\n`;
}

/** Waits until the proxy has said `text` so often. */
async function said(client: Peer, text: string, times: number): Promise<void> {
  while (client.text.split(text).length <= times) await client.atLeast(client.received + 1);
}

/** Waits for the other side to end, by whichever way, and ends. */
async function parted(client: Peer): Promise<number> {
  await client.end();
  client.finish();
  return 0;
}

/** Waits for the other side to end in this way. */
async function ended(client: Peer, how: 'fin' | 'reset'): Promise<number> {
  const end = await client.end();
  if (end !== how) throw new Error(`it ended by ${end}, not by ${how}`);
  if (how === 'fin') return client.received;
  return 0;
}

function exactly(client: Peer, bytes: number): number {
  if (client.received !== bytes) throw new Error(`${client.received} bytes came, not ${bytes}`);
  return bytes;
}
