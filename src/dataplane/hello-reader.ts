import { foldHostname, type Hostname } from '../policy/hostname.ts';
import type { Reason } from '../policy/reason.ts';
import {
  ENCRYPTION_REQUEST_BYTES,
  type EncryptionRequest,
  type PostgresFault,
  parsePostgresOpening,
} from '../sniff/postgres.ts';
import {
  type ClientHello,
  type ClientHelloFault,
  type ClientHelloResume,
  parseClientHello,
} from '../tls-sni/index.ts';
import type { FlowProtocol } from './events.ts';
import { postgresRefusal, tlsAlert } from './farewell.ts';
import { mayBeRequest } from './http-method.ts';

/** RFC 8446 §4.1.2: a hello says at most TLS 1.2 here; drafts of TLS 1.3 said more. */
const MAX_LEGACY_VERSION = 0x0303;

const NOTHING = new Uint8Array(0);

export type ReadHello =
  | { readonly kind: 'need-more'; readonly protocol: 'tls' | 'tcp' }
  /** A PostgreSQL client asks first. Its request is all that came: drop it, see that it is answered, and read on. */
  | { readonly kind: 'asks'; readonly protocol: 'tcp'; readonly request: EncryptionRequest }
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
      readonly reason: 'not_tls' | 'malformed_hello' | 'malformed_request' | 'hello_too_large';
      /** What exactly is malformed; null where nothing is. */
      readonly detail: ClientHelloFault | PostgresFault | null;
    };

/**
 * Reads the ClientHello that opens a flow, over any number of calls, within the bound that the daemon sets. A PostgreSQL
 * client may ask for encryption before it: GSS, then TLS.
 */
export class HelloReader {
  readonly #maxBytes: number;
  #resume: ClientHelloResume | undefined;
  #asked: EncryptionRequest | null = null;
  #speaks: 'tls' | 'postgres' | null = null;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** `bytes`: all that the client has said since its hello began, or its request before that. */
  read(bytes: Uint8Array): ReadHello {
    const read = parseClientHello(bytes, this.#resume);
    this.#speaks = read.kind === 'not-tls' ? null : 'tls';
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
        return this.#readPlain(bytes);
      default:
        read satisfies never;
        return unreadable('not_tls');
    }
  }

  /** What tells the client that it was refused, if it can be told. */
  refusal(reason: Reason): Uint8Array {
    switch (this.#speaks) {
      case 'tls':
        return tlsAlert(reason);
      case 'postgres':
        return postgresRefusal(reason);
      case null:
        return NOTHING;
      default:
        return this.#speaks satisfies never;
    }
  }

  #readPlain(bytes: Uint8Array): ReadHello {
    const opening = parsePostgresOpening(bytes);
    switch (opening.kind) {
      case 'need-more':
        return { kind: 'need-more', protocol: 'tcp' };
      case 'request':
        return this.#readRequest(opening.request, bytes);
      case 'cleartext':
        if (this.#asked !== 'ssl') this.#speaks = 'postgres';
        return unreadable('not_tls', 'tcp');
      case 'not-postgres':
        return unreadable('not_tls', this.#asked === null ? plainProtocol(bytes) : 'tcp');
      default:
        return opening satisfies never;
    }
  }

  #readRequest(request: EncryptionRequest, bytes: Uint8Array): ReadHello {
    if (this.#asked === 'ssl' || this.#asked === request) return malformedRequest('repeated-request');
    this.#asked = request;
    // An attacker on the path could have put them there, and the server take them for what comes encrypted
    // (CVE-2021-23214).
    if (bytes.length > ENCRYPTION_REQUEST_BYTES) return malformedRequest('bytes-before-answer');
    return { kind: 'asks', protocol: 'tcp', request };
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

function malformedRequest(detail: PostgresFault): ReadHello {
  return { kind: 'unreadable', protocol: 'tcp', reason: 'malformed_request', detail };
}

function unreadable(reason: 'not_tls' | 'hello_too_large', protocol: FlowProtocol = 'tls'): ReadHello {
  return { kind: 'unreadable', protocol, reason, detail: null };
}

/** What a client speaks that does not speak TLS. */
function plainProtocol(opening: Uint8Array): FlowProtocol {
  return mayBeRequest(opening) ? 'http' : 'tcp';
}
