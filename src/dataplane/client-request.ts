import { IpAddress } from '../policy/address.ts';
import { type Hostname, parseHostname } from '../policy/hostname.ts';
import { isLimit, type Reason } from '../policy/reason.ts';
import { parseConnect } from '../sniff/connect.ts';
import {
  DEFAULT_HEAD_LIMITS,
  parseRequestHead,
  type RequestHeadLimits,
  type RequestHeadResume,
} from '../sniff/http-head.ts';
import { classifyOpening } from '../sniff/opening.ts';
import {
  parseSocks5Greeting,
  parseSocks5Request,
  type Socks5Reply,
  socks5Method,
  socks5Reply,
} from '../sniff/socks5.ts';
import type { Target } from '../sniff/target.ts';
import { httpRefusal } from './farewell.ts';

/** A CONNECT or SOCKS5 request: where the client of an explicit listener wants to go, and how it is answered. */
export interface ClientRequest {
  readonly protocol: 'connect' | 'socks5';
  /** Null when the client gave an address instead of a name. */
  readonly hostname: Hostname | null;
  readonly address: IpAddress | null;
  readonly port: number;
  /** Tells the client to go ahead. */
  readonly granted: Uint8Array;
  refusal(reason: Reason): Uint8Array;
}

export type ReadRequest =
  | { readonly kind: 'need-more' }
  /** Answer `bytes`, drop `consumed` bytes and read again: the SOCKS greeting. */
  | { readonly kind: 'reply'; readonly bytes: Uint8Array; readonly consumed: number }
  | { readonly kind: 'request'; readonly request: ClientRequest; readonly consumed: number }
  /** Plain HTTP, which every request of names its own destination. */
  | { readonly kind: 'http' }
  | {
      readonly kind: 'refuse';
      readonly protocol: 'http' | 'connect' | 'socks5' | 'tls' | 'unknown';
      readonly reason: Reason;
      /** What exactly is malformed: a key of the sniffers' fault tables; null where nothing is. */
      readonly detail: string | null;
      readonly farewell: Uint8Array;
    };

const NOTHING = new Uint8Array(0);
const CONNECT_GRANTED = Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n', 'latin1');

/** Reads the opening of a flow on an explicit listener, over any number of calls. */
export class RequestReader {
  readonly #gateway: string;
  readonly #limits: RequestHeadLimits;
  #head: RequestHeadResume | undefined;
  #speaks: 'http' | 'socks5' | null = null;
  #greeted = false;

  /** `maxBytes`: the largest request head that is taken. `gateway` signs refusals. */
  constructor(gateway: string, maxBytes: number) {
    this.#gateway = gateway;
    this.#limits = { ...DEFAULT_HEAD_LIMITS, maxBytes };
  }

  /** `bytes`: all of the client's bytes that were not consumed yet. */
  read(bytes: Uint8Array): ReadRequest {
    if (this.#greeted) return this.#readSocksRequest(bytes);
    const [first] = bytes;
    if (first === undefined) return { kind: 'need-more' };
    const opening = classifyOpening(first);
    switch (opening) {
      case 'http':
        this.#speaks = 'http';
        return this.#readHttp(bytes);
      case 'socks5':
        this.#speaks = 'socks5';
        return this.#readSocksGreeting(bytes);
      case 'tls':
      case 'unknown':
        return {
          kind: 'refuse',
          protocol: opening,
          reason: 'malformed_request',
          detail: null,
          farewell: NOTHING,
        };
      default:
        return opening satisfies never;
    }
  }

  /** What to tell a client whose request never became whole. */
  refusal(reason: Reason): Uint8Array {
    if (this.#speaks === 'http') return httpRefusal(reason, 'the request', this.#gateway);
    return this.#greeted ? socks5Reply(socksReply(reason)) : NOTHING;
  }

  #readHttp(bytes: Uint8Array): ReadRequest {
    const head = parseRequestHead(bytes, this.#head, this.#limits);
    switch (head.kind) {
      case 'need-more':
        this.#head = head.resume;
        return { kind: 'need-more' };
      case 'malformed':
        return this.#refuseHttp('http', 'malformed_request', head.reason);
      case 'too-large':
        return this.#refuseHttp('http', 'hello_too_large');
      case 'done':
        break;
      default:
        return head satisfies never;
    }
    if (head.method !== 'CONNECT') return { kind: 'http' };
    const target = parseConnect(head);
    if (target.kind === 'malformed') return this.#refuseHttp('connect', 'malformed_request', target.reason);
    const { hostname, address, port } = destination(target);
    const subject = `CONNECT ${hostname ?? address}:${port}`;
    const request: ClientRequest = {
      protocol: 'connect',
      hostname,
      address,
      port,
      granted: CONNECT_GRANTED,
      refusal: reason => httpRefusal(reason, subject, this.#gateway),
    };
    return { kind: 'request', request, consumed: head.consumed };
  }

  #refuseHttp(protocol: 'http' | 'connect', reason: Reason, detail: string | null = null): ReadRequest {
    return { kind: 'refuse', protocol, reason, detail, farewell: this.refusal(reason) };
  }

  #readSocksGreeting(bytes: Uint8Array): ReadRequest {
    const greeting = parseSocks5Greeting(bytes);
    switch (greeting.kind) {
      case 'need-more':
        return { kind: 'need-more' };
      case 'malformed':
        return refuseSocks(NOTHING, greeting.reason);
      case 'no-acceptable-method':
        return refuseSocks(socks5Method(false), greeting.kind);
      case 'done':
        this.#greeted = true;
        return { kind: 'reply', bytes: socks5Method(true), consumed: greeting.consumed };
      default:
        return greeting satisfies never;
    }
  }

  #readSocksRequest(bytes: Uint8Array): ReadRequest {
    const result = parseSocks5Request(bytes);
    switch (result.kind) {
      case 'need-more':
        return { kind: 'need-more' };
      case 'malformed':
        return refuseSocks(socks5Reply('general-failure'), result.reason);
      case 'command-not-supported':
      case 'address-type-not-supported':
        return refuseSocks(socks5Reply(result.kind), result.kind);
      case 'done': {
        const request: ClientRequest = {
          protocol: 'socks5',
          ...destination(result.target),
          granted: socks5Reply('succeeded'),
          refusal: reason => socks5Reply(socksReply(reason)),
        };
        return { kind: 'request', request, consumed: result.consumed };
      }
      default:
        return result satisfies never;
    }
  }
}

function refuseSocks(farewell: Uint8Array, detail: string): ReadRequest {
  return { kind: 'refuse', protocol: 'socks5', reason: 'malformed_request', detail, farewell };
}

/** The sniffers have checked the grammar of both forms. */
function destination(target: Target): Pick<ClientRequest, 'hostname' | 'address' | 'port'> {
  if (target.kind === 'address') {
    return { hostname: null, address: IpAddress.parse(target.ip), port: target.port };
  }
  const parsed = parseHostname(target.hostname);
  return { hostname: parsed.ok ? parsed.hostname : null, address: null, port: target.port };
}

function socksReply(reason: Reason): Socks5Reply {
  switch (reason) {
    case 'unresolvable':
      return 'host-unreachable';
    case 'malformed_request':
    case 'hello_timeout':
      return 'general-failure';
    default:
      return isLimit(reason) ? 'general-failure' : 'not-allowed';
  }
}
