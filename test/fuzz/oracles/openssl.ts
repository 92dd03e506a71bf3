import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from '../../support/certificate.ts';
import type { Scope } from '../../support/scope.ts';
import { toHex } from '../inputs/hex.ts';
import { LineOracle } from './line-oracle.ts';

/** What an OpenSSL server made of a client's bytes. */
export interface OpensslReading {
  /** The name in each ClientHello that it accepted, in order; null where there was none. */
  readonly names: readonly (string | null)[];
  /** Why it gave up; null when it only waits for more. */
  readonly error: string | null;
  /** Whether it asked for another key share by a HelloRetryRequest. */
  readonly retried: boolean;
}

/**
 * Python's ssl is OpenSSL, and its memory BIOs need no socket. `any` takes every version and group; `retry` takes TLS 1.3
 * with P-384 only, so that a client without such a key share is asked again.
 */
const PROGRAM = `
import json, ssl, sys

RETRY = bytes.fromhex('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c')

def context(retry):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(sys.argv[1], sys.argv[2])
    made.minimum_version = ssl.TLSVersion.TLSv1_3 if retry else ssl.TLSVersion.TLSv1
    if retry:
        made.set_ecdh_curve('secp384r1')
    else:
        made.set_ciphers('ALL:@SECLEVEL=0')
    made.sni_callback = lambda server, name, _: names.append(name)
    return made

servers = {'any': context(False), 'retry': context(True)}
for line in sys.stdin:
    kind, *pieces = line.split()
    names = []
    error = None
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = servers[kind].wrap_bio(incoming, outgoing, server_side=True)
    for piece in pieces:
        incoming.write(bytes.fromhex(piece))
        try:
            server.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as refused:
            error = refused.reason or 'refused'
            break
    said = outgoing.read()
    print(json.dumps({'names': names, 'error': error, 'retried': said[11:43] == RETRY}), flush=True)
`;

export class Openssl {
  readonly #oracle: LineOracle;

  private constructor(oracle: LineOracle) {
    this.#oracle = oracle;
  }

  static open(scope: Scope): Openssl {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-fuzz-'));
    scope.defer(() => rmSync(directory, { recursive: true, force: true }));
    const { key, cert } = makeCertificate(['allowed.example']);
    const [certPath, keyPath] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    writeFileSync(certPath, cert);
    writeFileSync(keyPath, key);
    const oracle = new LineOracle('python3', ['-c', PROGRAM, certPath, keyPath]);
    scope.defer(() => oracle.close());
    return new Openssl(oracle);
  }

  /** Hands the pieces to a fresh server one after the other. */
  async read(server: 'any' | 'retry', ...pieces: readonly Uint8Array[]): Promise<OpensslReading> {
    return JSON.parse(await this.#oracle.ask([server, ...pieces.map(toHex)].join(' ')));
  }
}
