import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasCommand } from '../../support/command.ts';
import { Scope } from '../../support/scope.ts';
import { until } from '../../support/until.ts';
import { freePort } from '../../support/upstream.ts';
import { echo, sendMixed } from './mixed-load.ts';
import { HttpRig } from './rig.ts';
import { Site } from './site.ts';

interface Server {
  readonly command: string;
  config(directory: string, port: number, backend: number): string;
  args(config: string): string[];
}

const NGINX: Server = {
  command: 'nginx',
  config: (directory, port, backend) => `
daemon off; master_process off; pid ${directory}/pid; error_log ${directory}/error.log warn;
events {}
http {
  access_log off; client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
  keepalive_requests 200; client_max_body_size 0;
  upstream backend { server 127.0.0.1:${backend}; keepalive 32; }
  server {
    listen 127.0.0.1:${port} default_server; return 421;
  }
  server {
    listen 127.0.0.1:${port}; server_name allowed.example other.example;
    location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection ""; }
  }
}`,
  args: config => ['-e', 'stderr', '-c', config],
};

const HAPROXY: Server = {
  command: 'haproxy',
  config: (_directory, port, backend) => `
defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 5s
frontend front
  bind 127.0.0.1:${port}
  http-request deny deny_status 421 unless { hdr(host) allowed.example other.example }
  default_backend back
backend back
  server site 127.0.0.1:${backend}
`,
  args: config => ['-db', '-f', config],
};

describe.each([NGINX, HAPROXY])('before $command', server => {
  const isMissing = !hasCommand(server.command);
  let scope: Scope;

  beforeEach(() => {
    scope = new Scope();
  });
  afterEach(() => scope.close());

  async function start(backend: number): Promise<number> {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-http-'));
    scope.defer(() => rmSync(directory, { recursive: true, force: true }));
    const port = await freePort();
    const config = join(directory, 'config');
    writeFileSync(config, server.config(directory, port, backend));
    const child: ChildProcess = spawn(server.command, server.args(config), { stdio: 'ignore' });
    scope.defer(async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    await until(`${server.command} listens`, () => accepts(port));
    return port;
  }

  it.skipIf(isMissing)(
    `two thousand mixed requests are served${isMissing ? ' (skipped: not installed)' : ''}`,
    async () => {
      const site = await Site.listen(echo);
      scope.defer(() => site.close());
      const port = await start(site.port);
      const rig = await HttpRig.listen({ servers: { '*': port } });
      scope.defer(() => rig.close());
      await sendMixed(
        rig.port,
        2_000,
        ['allowed.example', 'other.example', 'evil.example'],
        new Set(['evil.example']),
      );
      expect(rig.decided.filter(({ action }) => action === 'allow').length).toBeGreaterThan(0);
      expect(rig.closed.filter(({ end }) => end === 'server_reset')).toEqual([]);
    },
    120_000,
  );
});

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
