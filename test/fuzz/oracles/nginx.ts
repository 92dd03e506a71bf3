import { existsSync } from 'node:fs';
import { hasCommand } from '../../support/command.ts';
import type { Scope } from '../../support/scope.ts';
import { freePort } from '../../support/upstream.ts';
import { converse, startPeer } from './peer-process.ts';

const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

/** nginx as it reads SNI (`ssl_preread`) and Host. */
export class Nginx {
  readonly #tlsPort: number;
  readonly #httpPort: number;

  private constructor(tlsPort: number, httpPort: number) {
    this.#tlsPort = tlsPort;
    this.#httpPort = httpPort;
  }

  /** Null where it is not installed. */
  static async open(scope: Scope): Promise<Nginx | null> {
    if (!hasCommand('nginx') || !existsSync(STREAM_MODULE)) return null;
    const [tls, http] = [await freePort(), await freePort()];
    const config = `
load_module ${STREAM_MODULE};
daemon off;
master_process off;
pid @DIR@/nginx.pid;
error_log /dev/null crit;
events {}
stream {
  server {
    listen 127.0.0.1:${tls};
    ssl_preread on;
    preread_timeout 2s;
    return "[$ssl_preread_server_name]";
  }
}
http {
  access_log off;
  client_body_temp_path @DIR@/body;
  proxy_temp_path @DIR@/proxy;
  fastcgi_temp_path @DIR@/fastcgi;
  uwsgi_temp_path @DIR@/uwsgi;
  scgi_temp_path @DIR@/scgi;
  keepalive_timeout 0;
  server {
    listen 127.0.0.1:${http};
    location / { return 200 "[$host]"; }
  }
}
`;
    await startPeer(scope, { command: 'nginx', args: ['-e', '/dev/null', '-c'], config, port: tls });
    return new Nginx(tls, http);
  }

  /** The name in a hello, empty for none or where it gave up; null when it said nothing. */
  async serverName(hello: Uint8Array): Promise<string | null> {
    const said = await converse(this.#tlsPort, hello);
    return /^\[(.*)\]$/s.exec(said?.answer.toString('latin1') ?? '')?.[1] ?? null;
  }

  /** The host of a request, in lower case without port; null where it is refused. */
  async host(request: Uint8Array): Promise<string | null> {
    const said = await converse(this.#httpPort, request);
    return (
      /^HTTP\/1\.1 200 .*?\r\n\r\n\[([^\]]*\]?)\]/s.exec(said?.answer.toString('latin1') ?? '')?.[1] ?? null
    );
  }
}
