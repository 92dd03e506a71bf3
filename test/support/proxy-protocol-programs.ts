import { configFile, NGINX_STREAM, startProgram } from './programs.ts';
import type { Scope } from './scope.ts';
import { freePort } from './upstream.ts';

/**
 * HAProxy with a listener for each of `senders` (its name, and how its server line ends), which sends to `target`, and
 * with `accept`, which believes a header and answers with what it says. Returns their ports.
 */
export async function startHaproxy<Name extends string>(
  scope: Scope,
  target: number,
  senders: Readonly<Record<Name, string>>,
): Promise<Record<Name | 'accept', number>> {
  const ports: Record<string, number> = {};
  for (const name of [...Object.keys(senders), 'accept']) ports[name] = await freePort();
  const listeners = Object.entries(senders).map(
    ([name, options]) => `
listen ${name}
  bind 127.0.0.1:${ports[name]}
  bind ::1:${ports[name]}
  unique-id-format "%[uuid()]"
  server s 127.0.0.1:${target} ${options}`,
  );
  const config = configFile(
    scope,
    `
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
${listeners.join('\n')}
frontend accept
  mode http
  timeout http-request 5s
  bind 127.0.0.1:${ports.accept} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"
`,
  );
  await startProgram(scope, ports.accept ?? 0, 'haproxy', ['-db', '-f', config]);
  return ports as Record<Name | 'accept', number>;
}

/** nginx with `send`, which sends a header to `target`, and `accept`, which answers with what a header says. */
export async function startNginx(
  scope: Scope,
  target: number,
): Promise<{ readonly send: number; readonly accept: number }> {
  const [send, accept] = [await freePort(), await freePort()];
  const config = configFile(
    scope,
    `
load_module ${NGINX_STREAM};
daemon off;
pid /dev/null;
error_log stderr;
events {}
stream {
  server {
    listen 127.0.0.1:${send};
    listen [::1]:${send};
    proxy_pass 127.0.0.1:${target};
    proxy_protocol on;
  }
  server {
    listen 127.0.0.1:${accept} proxy_protocol;
    return "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port";
  }
}
`,
  );
  await startProgram(scope, send, 'nginx', ['-e', 'stderr', '-c', config]);
  return { send, accept };
}
