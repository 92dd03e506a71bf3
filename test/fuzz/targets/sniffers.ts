import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RequestReader } from '../../../src/dataplane/client-request.ts';
import { parseConnect } from '../../../src/sniff/connect.ts';
import { parseRequestHead, type RequestHead, type RequestHeadResume } from '../../../src/sniff/http-head.ts';
import { type HttpRole, judgeRequest } from '../../../src/sniff/http-request.ts';
import {
  ENCRYPTION_REQUEST_BYTES,
  encryptionRequest,
  parsePostgresOpening,
} from '../../../src/sniff/postgres.ts';
import { parseProxyProtocol } from '../../../src/sniff/proxy-protocol.ts';
import { proxyProtocolHeader } from '../../../src/sniff/proxy-protocol-header.ts';
import { parseSocks5Greeting, parseSocks5Request } from '../../../src/sniff/socks5.ts';
import { hostnameFault } from '../../../src/tls-sni/hostname.ts';
import { concat } from '../../support/client-hello.ts';
import { socksRequest } from '../../support/tunnel.ts';
import { fromHex, inHex } from '../inputs/hex.ts';
import { mutated } from '../inputs/mutate.ts';
import { pieceLengths, piecesOf, prefixesOf } from '../inputs/pieces.ts';
import { proxyHeaders, socksClients, socksRequests } from '../inputs/proxy-openings.ts';
import { requestStreams } from '../inputs/requests.ts';
import { NodeHttp } from '../oracles/node-http.ts';
import { property } from '../property.ts';
import type { Target } from '../target.ts';

const requests = inHex(requestStreams());
const SERVER: HttpRole = { kind: 'server', port: 80 };
const ROLES: readonly HttpRole[] = [SERVER, { kind: 'proxy' }];

const headSplit = property(
  'a request head is read the same at any split of its bytes',
  fc.record({ stream: requests, pieceLengths }),
  input => {
    const bytes = fromHex(input.stream);
    const whole = parseRequestHead(bytes);
    let resume: RequestHeadResume | undefined;
    for (const prefix of prefixesOf(bytes, input.pieceLengths)) {
      const read = parseRequestHead(prefix, resume);
      if (read.kind !== 'need-more') {
        assert.deepEqual(read, whole);
        return undefined;
      }
      resume = read.resume;
    }
    assert.equal(whole.kind, 'need-more');
    return undefined;
  },
);

const headItself = property('a request head that is accepted is written again as it was', requests, hex => {
  const bytes = fromHex(hex);
  const head = parseRequestHead(bytes);
  if (head.kind !== 'done') return 'vacuous';
  const original = Buffer.from(bytes.subarray(0, head.consumed)).toString('latin1');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the point
  assert.doesNotMatch(original, /\r(?!\n)|(?<!\r)\n|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/);
  // All that may be lost is white space around values.
  assert.equal(original.replaceAll(/(?<=\r\n[^:\r]*:)[ \t]*|[ \t]+(?=\r\n)/g, ''), written(head));
  return undefined;
});

function written({ method, target, version, headers }: RequestHead): string {
  const fields = headers.map(([name, value]) => `${name}:${value}\r\n`).join('');
  return `${method} ${target} HTTP/${version}\r\n${fields}\r\n`;
}

const judged = property('a request is for the one host that it names, or for none', requests, hex => {
  const head = parseRequestHead(fromHex(hex));
  if (head.kind !== 'done') return 'vacuous';
  const texts = [
    head.target,
    ...head.headers.filter(([name]) => /^host$/i.test(name)).map(([, value]) => value),
  ];
  for (const role of ROLES) {
    const result = judgeRequest(head, role);
    if (result.kind !== 'request') continue;
    const name = result.target.kind === 'name' ? result.target.hostname : result.target.ip;
    if (result.target.kind === 'name') assert.equal(hostnameFault(name), null);
    assert.ok(
      texts.some(text => text.toLowerCase().includes(name.toLowerCase())),
      `nobody has named ${name}`,
    );
    assert.ok(
      result.authority.toLowerCase().includes(name.toLowerCase()),
      `${result.authority} is not ${name}`,
    );
    assert.match(result.path, /^(?:\/[\x21-\x7e]*|\*)$/);
  }
  return undefined;
});

const connect = property('a CONNECT that is accepted goes where its line says', requests, hex => {
  const head = parseRequestHead(fromHex(hex));
  const result = head.kind === 'done' ? parseConnect(head) : null;
  if (head.kind !== 'done' || result === null || result.kind === 'malformed') return 'vacuous';
  const host =
    result.kind === 'name' ? result.hostname : result.ip.includes(':') ? `[${result.ip}]` : result.ip;
  assert.equal(`CONNECT ${host}:${result.port}`, `${head.method} ${head.target}`);
  return undefined;
});

const clientRequest = property(
  'a client of an explicit listener is read the same at any split of its bytes',
  fc.record({ stream: fc.oneof(requests, inHex(socksClients)), pieceLengths }),
  input => {
    const stream = fromHex(input.stream);
    assert.deepEqual(explicitClient(stream, input.pieceLengths), explicitClient(stream, [stream.length]));
    return undefined;
  },
);

/** Everything that a reader says to a client, at the end where it goes. */
function explicitClient(stream: Uint8Array, lengths: readonly number[]): unknown[] {
  const reader = new RequestReader('gw', 4_096);
  const said: unknown[] = [];
  let held: Uint8Array = new Uint8Array(0);
  let consumed = 0;
  for (const piece of piecesOf(stream, lengths)) {
    held = concat(held, piece);
    for (;;) {
      const read = reader.read(held);
      if (read.kind === 'need-more') break;
      if (read.kind !== 'reply') {
        const { request, ...rest } = { request: null, ...read };
        const goal = request && [
          request.protocol,
          request.hostname,
          request.address?.toString(),
          request.port,
        ];
        return [...said, { ...rest, goal, consumed: 'consumed' in read ? consumed + read.consumed : null }];
      }
      said.push(read);
      consumed += read.consumed;
      held = held.slice(read.consumed);
    }
  }
  return [...said, 'need-more'];
}

const socks = property(
  'a SOCKS5 request that is accepted is written again as it was',
  inHex(socksRequests),
  hex => {
    const bytes = fromHex(hex);
    const result = parseSocks5Request(bytes);
    assertStable(bytes, parseSocks5Request);
    if (result.kind !== 'done') return 'vacuous';
    const { target, consumed } = result;
    if (target.kind === 'name') assert.equal(hostnameFault(target.hostname), null);
    const again = socksRequest(target.kind === 'name' ? target.hostname : target.ip, target.port);
    const isBinaryAddress = bytes[3] !== 3;
    if (!isBinaryAddress) assert.deepEqual(Buffer.from(bytes.subarray(0, consumed)), Buffer.from(again));
    return undefined;
  },
);

const greeting = property(
  'a SOCKS5 greeting is read the same at any split of its bytes',
  inHex(socksClients),
  hex => {
    assertStable(fromHex(hex), parseSocks5Greeting);
    return undefined;
  },
);

const proxyProtocol = property(
  'a PROXY protocol header that is accepted says the same when we write it',
  inHex(proxyHeaders),
  hex => {
    const bytes = fromHex(hex);
    const result = parseProxyProtocol(bytes);
    assertStable(bytes, parseProxyProtocol);
    if (result.kind !== 'done') return 'vacuous';
    assert.ok(result.consumed <= bytes.length);
    if (result.addresses === null) return undefined;
    const again = parseProxyProtocol(proxyProtocolHeader(result.addresses));
    assert.ok(again.kind === 'done' && again.addresses !== null);
    assert.deepEqual(plain(again.addresses.source), plain(result.addresses.source));
    assert.deepEqual(plain(again.addresses.destination), plain(result.addresses.destination));
    return undefined;
  },
);

const postgresOpenings = fc.oneof(
  mutated(fc.constantFrom(encryptionRequest('ssl'), encryptionRequest('gssenc')), 2),
  mutated(fc.constant(Uint8Array.of(0, 0, 0, 16, 0, 3, 0, 0, 117, 115, 101, 114, 0, 97, 0, 0)), 2),
  fc.uint8Array({ maxLength: 12 }),
);

const postgres = property(
  'a PostgreSQL request for encryption that is read is written again as it was, at any split',
  inHex(postgresOpenings),
  hex => {
    const bytes = fromHex(hex);
    const whole = parsePostgresOpening(bytes);
    for (let length = 0; length < bytes.length; length++) {
      const part = parsePostgresOpening(bytes.slice(0, length));
      if (part.kind !== 'need-more') assert.deepEqual(part, whole);
    }
    if (whole.kind !== 'request') return 'vacuous';
    assert.deepEqual(bytes.slice(0, ENCRYPTION_REQUEST_BYTES), encryptionRequest(whole.request));
    return undefined;
  },
);

/** IPv4 and its mapped form are one address. */
function plain({ ip, port }: { readonly ip: string; readonly port: number }): string {
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(ip);
  if (mapped === null) return `${ip} ${port}`;
  const [high, low] = [Number.parseInt(mapped[1] ?? '', 16), Number.parseInt(mapped[2] ?? '', 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255} ${port}`;
}

/** What is said of a prefix is said of the whole: only `need-more` may turn into something else. */
function assertStable(
  bytes: Uint8Array,
  parse: (bytes: Uint8Array) => { kind: string; atLeast?: number },
): void {
  const whole = parse(bytes);
  for (let length = 0; length < bytes.length; length++) {
    const part = parse(bytes.slice(0, length));
    if (part.kind !== 'need-more') {
      assert.deepEqual(part, whole);
      return;
    }
    assert.ok((part.atLeast ?? 0) > length, 'it asks for no more than it has');
    if (whole.kind === 'done')
      assert.ok((part.atLeast ?? 0) <= bytes.length, 'it asks for more than there is');
  }
}

/** What is read before TLS, or instead of it. */
export const sniffers: Target = {
  name: 'sniffers',
  summary:
    'HTTP heads, CONNECT, SOCKS5, PROXY protocol, PostgreSQL: any split, nothing but what was said, as Node reads it',
  shortRuns: 300,
  open: async scope => {
    const node = NodeHttp.open(scope);
    const beside = property(
      'a request that is accepted is read the same by node:http',
      requests,
      async hex => {
        const bytes = fromHex(hex);
        const head = parseRequestHead(bytes);
        if (head.kind !== 'done' || judgeRequest(head, SERVER).kind !== 'request') return 'vacuous';
        const read = await node.read(bytes.subarray(0, head.consumed));
        if (read === null) return 'vacuous';
        const { method, target, version, headers } = head;
        assert.deepEqual(read, { method, target, version, headers });
        return undefined;
      },
    );
    return {
      properties: [
        headSplit,
        headItself,
        judged,
        connect,
        clientRequest,
        socks,
        greeting,
        proxyProtocol,
        postgres,
        beside,
      ],
      missing: [],
    };
  },
};
