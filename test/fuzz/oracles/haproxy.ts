import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { hasCommand } from '../../support/command.ts';
import type { Scope } from '../../support/scope.ts';
import { freePort } from '../../support/upstream.ts';
import { converse, startPeer } from './peer-process.ts';

/** HAProxy as it reads SNI (`req.ssl_sni`) and Host. */
export class Haproxy {
  readonly #tlsPort: number;
  readonly #httpPort: number;
  /** Names that it has logged, by the client's port. */
  readonly #logged = new Map<number, string>();
  #heard: () => void = () => {};

  private constructor(tlsPort: number, httpPort: number) {
    this.#tlsPort = tlsPort;
    this.#httpPort = httpPort;
  }

  /** Null where it is not installed. */
  static async open(scope: Scope): Promise<Haproxy | null> {
    if (!hasCommand('haproxy')) return null;
    const log = createSocket('udp4').bind(0, '127.0.0.1');
    await once(log, 'listening');
    scope.defer(() => log.close());
    const [tls, http] = [await freePort(), await freePort()];
    const haproxy = new Haproxy(tls, http);
    log.on('message', message => haproxy.#hear(message.toString('latin1')));
    const config = `
global
  log 127.0.0.1:${log.address().port} len 8192 local0
defaults
  timeout connect 2s
  timeout client 5s
  timeout server 5s
frontend tls
  mode tcp
  log global
  log-format "sni %cp [%[var(sess.sni)]]"
  bind 127.0.0.1:${tls}
  tcp-request inspect-delay 2s
  tcp-request content set-var(sess.sni) req.ssl_sni if { req.ssl_hello_type 1 }
  tcp-request content reject if { req.len gt 0 }
frontend http
  mode http
  bind 127.0.0.1:${http}
  http-request return status 200 content-type text/plain hdr Connection close lf-string "[%[req.hdr(host)]]"
`;
    await startPeer(scope, { command: 'haproxy', args: ['-db', '-f'], config, port: http });
    return haproxy;
  }

  /** The name in a hello; `-` for none or where it gave up. */
  async serverName(hello: Uint8Array): Promise<string> {
    const said = await converse(this.#tlsPort, hello);
    if (said === null) throw new Error('HAProxy does not listen');
    for (;;) {
      const name = this.#logged.get(said.localPort);
      this.#logged.delete(said.localPort);
      if (name !== undefined) return name;
      await new Promise<void>(resolve => {
        this.#heard = resolve;
      });
    }
  }

  /** The Host of a request as it would be passed on; null where it is refused. */
  async host(request: Uint8Array): Promise<string | null> {
    const said = await converse(this.#httpPort, request);
    return (
      /^HTTP\/1\.1 200 .*?\r\n\r\n\[(.*?)\](?:HTTP|$)/s.exec(said?.answer.toString('latin1') ?? '')?.[1] ??
      null
    );
  }

  #hear(line: string): void {
    const [, port, name] = /sni (\d+) \[(.*)\]/s.exec(line) ?? [];
    if (port === undefined || name === undefined) return;
    this.#logged.set(Number(port), name);
    this.#heard();
  }
}
