import { foldHostname, type Hostname } from '../policy/hostname.ts';
import { parseRequestHead } from '../sniff/http-head.ts';
import {
  type ClientHello,
  type ClientHelloFault,
  type ClientHelloResume,
  parseClientHello,
} from '../tls-sni/index.ts';
import type { FlowProtocol } from './events.ts';
import { mayBeRequest } from './http-method.ts';

/** RFC 8446 §4.1.2: a hello says at most TLS 1.2 here; drafts of TLS 1.3 said more. */
const MAX_LEGACY_VERSION = 0x0303;

export type ReadHello =
  | { readonly kind: 'need-more'; readonly protocol: 'tls' }
  /** `consumed`: bytes up to the end of the hello's last record. `hostname` is null when it names none. */
  | {
      readonly kind: 'hello';
      readonly protocol: 'tls';
      readonly hello: ClientHello;
      readonly hostname: Hostname | null;
      readonly consumed: number;
    }
  | {
      readonly kind: 'unreadable';
      readonly protocol: FlowProtocol;
      readonly reason: 'not_tls' | 'malformed_hello' | 'hello_too_large';
      /** What exactly is malformed; null where nothing is. */
      readonly detail: ClientHelloFault | null;
    };

/** Reads the ClientHello that opens a flow, over any number of calls, within the bound that the daemon sets. */
export class HelloReader {
  readonly #maxBytes: number;
  #resume: ClientHelloResume | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** `bytes`: all that the client has said since its hello began. */
  read(bytes: Uint8Array): ReadHello {
    const read = parseClientHello(bytes, this.#resume);
    switch (read.kind) {
      case 'need-more':
        this.#resume = read.resume;
        return read.atLeast > this.#maxBytes
          ? unreadable('hello_too_large')
          : { kind: 'need-more', protocol: 'tls' };
      case 'done':
        return read.consumed > this.#maxBytes ? unreadable('hello_too_large') : whole(read, read.consumed);
      case 'malformed':
        return malformed(read.reason);
      case 'not-tls':
        return unreadable('not_tls', plainProtocol(bytes));
      default:
        read satisfies never;
        return unreadable('not_tls');
    }
  }
}

function whole(hello: ClientHello, consumed: number): ReadHello {
  if (hello.legacyVersion > MAX_LEGACY_VERSION) return malformed('legacy-version');
  return {
    kind: 'hello',
    protocol: 'tls',
    hello,
    hostname: hello.serverName === null ? null : foldHostname(hello.serverName),
    consumed,
  };
}

function malformed(detail: ClientHelloFault): ReadHello {
  return { kind: 'unreadable', protocol: 'tls', reason: 'malformed_hello', detail };
}

function unreadable(reason: 'not_tls' | 'hello_too_large', protocol: FlowProtocol = 'tls'): ReadHello {
  return { kind: 'unreadable', protocol, reason, detail: null };
}

/** What a client speaks that does not speak TLS. */
function plainProtocol(opening: Uint8Array): FlowProtocol {
  return mayBeRequest(opening) && parseRequestHead(opening).kind !== 'malformed' ? 'http' : 'tcp';
}
