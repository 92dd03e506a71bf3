import assert from 'node:assert/strict';
import { parseRequestHead } from '../../../src/sniff/http-head.ts';
import { type HttpRequestResult, judgeRequest } from '../../../src/sniff/http-request.ts';
import { parseClientHello } from '../../../src/tls-sni/index.ts';
import { helloStreams } from '../inputs/hellos.ts';
import { fromHex, inHex } from '../inputs/hex.ts';
import { requestStreams } from '../inputs/requests.ts';
import { Haproxy } from '../oracles/haproxy.ts';
import { Nginx } from '../oracles/nginx.ts';
import { type Property, property } from '../property.ts';
import type { Target } from '../target.ts';

const hellos = inHex(helloStreams());
const requests = inHex(requestStreams());

interface AcceptedHello {
  readonly bytes: Uint8Array;
  readonly serverName: string | null;
  readonly isOneRecord: boolean;
}

function acceptedHello(hex: string): AcceptedHello | null {
  const bytes = fromHex(hex);
  const hello = parseClientHello(bytes);
  if (hello.kind !== 'done') return null;
  const firstRecord = 5 + (((bytes[3] ?? 0) << 8) | (bytes[4] ?? 0));
  return {
    bytes: bytes.slice(0, hello.consumed),
    serverName: hello.serverName,
    isOneRecord: firstRecord === hello.consumed,
  };
}

type AcceptedRequest = Extract<HttpRequestResult, { kind: 'request' }> & { readonly bytes: Uint8Array };

function acceptedRequest(hex: string): AcceptedRequest | null {
  const bytes = fromHex(hex);
  const head = parseRequestHead(bytes);
  const judged = head.kind === 'done' ? judgeRequest(head, { kind: 'server', port: 80 }) : null;
  // Without its body: peers answer before they have read one, or wait for it.
  return head.kind === 'done' && judged?.kind === 'request'
    ? { ...judged, bytes: bytes.slice(0, head.consumed) }
    : null;
}

function nginxProperties(nginx: Nginx): Property[] {
  return [
    property('nginx reads no other name from a hello that is accepted', hellos, async hex => {
      const hello = acceptedHello(hex);
      if (hello === null) return 'vacuous';
      const name = await nginx.serverName(hello.bytes);
      if (name === null || name === '') return 'vacuous';
      assert.equal(name, hello.serverName);
      return undefined;
    }),
    property('nginx reads no other host from a request that is accepted', requests, async hex => {
      const request = acceptedRequest(hex);
      if (request === null || request.body !== 'none') return 'vacuous';
      const host = await nginx.host(request.bytes);
      if (host === null) return 'vacuous';
      const { target } = request;
      if (target.kind === 'name') assert.equal(host, target.hostname.toLowerCase());
      else assert.equal(host.replace(/^\[|\]$/g, ''), target.ip.toLowerCase());
      return undefined;
    }),
  ];
}

function haproxyProperties(haproxy: Haproxy): Property[] {
  return [
    property('HAProxy reads no other name from a hello in one record that is accepted', hellos, async hex => {
      const hello = acceptedHello(hex);
      // It reads across record headers, which is no reading of TLS.
      if (hello === null || !hello.isOneRecord) return 'vacuous';
      const name = await haproxy.serverName(hello.bytes);
      if (name === '-') return 'vacuous';
      assert.equal(name, hello.serverName);
      return undefined;
    }),
    property('HAProxy reads no other host from a request that is accepted', requests, async hex => {
      const request = acceptedRequest(hex);
      if (request === null || request.body !== 'none') return 'vacuous';
      const host = await haproxy.host(request.bytes);
      // It adds no Host line to a request of HTTP/1.0 that has none.
      if (host === null || host === '') return 'vacuous';
      // It leaves out the port that is the scheme's own.
      const { target } = request;
      const name = target.kind === 'name' ? target.hostname : target.ip;
      assert.equal(
        host
          .replace(/:\d*$/, '')
          .replace(/^\[|\]$/g, '')
          .toLowerCase(),
        name.toLowerCase(),
      );
      return undefined;
    }),
  ];
}

/** The same bytes beside other proxies. They may refuse what we take, and read what we refuse. */
export const peers: Target = {
  name: 'peers',
  summary: 'SNI and Host beside nginx and HAProxy: where all accept, all read the same name',
  shortRuns: 100,
  open: async scope => {
    const [nginx, haproxy] = [await Nginx.open(scope), await Haproxy.open(scope)];
    return {
      properties: [
        ...(nginx === null ? [] : nginxProperties(nginx)),
        ...(haproxy === null ? [] : haproxyProperties(haproxy)),
      ],
      missing: [
        ...(nginx === null ? ['nginx with its stream module is not installed'] : []),
        ...(haproxy === null ? ['HAProxy is not installed'] : []),
      ],
    };
  },
};
