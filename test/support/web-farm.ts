import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hasCommand } from './command.ts';
import { Scope } from './scope.ts';
import { until } from './until.ts';
import { freePort, listenOn } from './upstream.ts';

/** Where the hosts of a farm are: all on one port. */
export const FARM = {
  'nginx.example': '127.0.1.1',
  'haproxy.example': '127.0.1.2',
  'denied.example': '127.0.1.3',
} as const;

/** The lengths of the files that `/file/LENGTH` is. */
export const FILE_LENGTHS = [0, 1, 1_000, 65_536, 300_000] as const;
const LONGEST = Math.max(...FILE_LENGTHS);
const PATTERN = Buffer.alloc(LONGEST, 'abcdefghijklmnopqrstuvwxyz');

/** The first `length` bytes of what every file, and every body that is sent, consists of. */
export function patternOf(length: number): Buffer {
  return PATTERN.subarray(0, length);
}

/** Why a farm cannot be had here, or null. */
export function farmObstacle(): string | null {
  const missing = ['nginx', 'haproxy', 'curl', 'python3'].filter(command => !hasCommand(command));
  return missing.length > 0 ? `needs ${missing.join(', ')}` : null;
}

/**
 * nginx and HAProxy in front of one backend, and a host that nobody may reach. `/file/LENGTH` with ranges and conditions,
 * `/empty` (204), `/echo`, `/sink` (what has come, counted and hashed) and `/bulk` (zeros).
 */
export class WebFarm {
  readonly port: number;
  readonly bulkBytes: number;
  /** A file of as many zeros as `/bulk`. */
  readonly bulkFile: string;
  /** Where the files of `/file/` are. */
  readonly files: string;
  /** What the backend was asked, by host without its port. nginx serves files by itself. */
  readonly asked = new Map<string, number>();
  /** Connections to the host that nobody may reach. */
  strayed = 0;
  readonly #scope: Scope;

  private constructor(scope: Scope, port: number, bulkFile: string, bulkBytes: number) {
    this.#scope = scope;
    this.port = port;
    this.bulkFile = bulkFile;
    this.files = join(dirname(bulkFile), 'file');
    this.bulkBytes = bulkBytes;
  }

  static async start(bulkBytes: number): Promise<WebFarm> {
    const scope = new Scope();
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-farm-'));
    scope.defer(() => rmSync(directory, { recursive: true, force: true }));
    const bulkFile = join(directory, 'bulk');
    writeFileSync(bulkFile, '');
    truncateSync(bulkFile, bulkBytes);
    mkdirSync(join(directory, 'file'));
    for (const length of FILE_LENGTHS) writeFileSync(join(directory, 'file', `${length}`), patternOf(length));
    const farm = new WebFarm(scope, await freePort(FARM['nginx.example']), bulkFile, bulkBytes);
    const backend = await farm.#startBackend();
    const nginx = nginxConfig(directory, farm.port, backend);
    await farm.#run(
      directory,
      'nginx',
      nginx,
      config => ['-e', 'stderr', '-c', config],
      FARM['nginx.example'],
    );
    const haproxy = haproxyConfig(farm.port, backend);
    await farm.#run(directory, 'haproxy', haproxy, config => ['-db', '-f', config], FARM['haproxy.example']);
    await farm.#startForbidden();
    return farm;
  }

  close(): Promise<void> {
    return this.#scope.close();
  }

  async #startBackend(): Promise<number> {
    const server = createServer((request, response) => {
      const host = request.headers.host?.split(':')[0] ?? '';
      this.asked.set(host, (this.asked.get(host) ?? 0) + 1);
      serve(request, response).catch(() => response.destroy());
    });
    this.#scope.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    return listenOn(server);
  }

  async #startForbidden(): Promise<void> {
    const server = createTcpServer(socket => {
      this.strayed++;
      socket.destroy();
    });
    server.listen(this.port, FARM['denied.example']);
    await once(server, 'listening');
    this.#scope.defer(() => server.close());
  }

  async #run(
    directory: string,
    command: string,
    text: string,
    args: (config: string) => string[],
    address: string,
  ): Promise<void> {
    const config = join(directory, `${command}.conf`);
    writeFileSync(config, text);
    const child: ChildProcess = spawn(command, args(config), { stdio: 'ignore' });
    this.#scope.defer(async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    await until(`${command} listens`, () => accepts(this.port, address));
  }
}

function nginxConfig(directory: string, port: number, backend: number): string {
  return `
daemon off; master_process off; pid ${directory}/pid; error_log ${directory}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path ${directory}/b; proxy_temp_path ${directory}/p;
  fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
  client_max_body_size 0; keepalive_requests 100000; if_modified_since before; sendfile on;
  upstream backend { server 127.0.0.1:${backend}; keepalive 32; }
  server { listen ${FARM['nginx.example']}:${port} default_server; return 421; }
  server {
    listen ${FARM['nginx.example']}:${port}; server_name nginx.example; root ${directory};
    location /file/ { }
    location = /bulk { }
    location / {
      proxy_pass http://backend; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off;
      proxy_set_header Host $http_host; proxy_set_header Connection "";
    }
  }
}`;
}

function haproxyConfig(port: number, backend: number): string {
  return `
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend front
  bind ${FARM['haproxy.example']}:${port}
  http-request deny deny_status 421 unless { hdr_beg(host) haproxy.example }
  default_backend back
backend back
  server site 127.0.0.1:${backend}
`;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, kind, argument] = (request.url ?? '').split('/');
  switch (kind) {
    case 'file':
      return serveFile(request, response, patternOf(Number(argument)));
    case 'empty':
      response.writeHead(204).end();
      return;
    case 'echo': {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      if (body.length % 2 === 0) response.setHeader('Content-Length', body.length);
      response.write(body.subarray(0, body.length >> 1));
      response.end(body.subarray(body.length >> 1));
      return;
    }
    case 'sink': {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const chunk of request) {
        bytes += chunk.length;
        hash.update(chunk);
      }
      response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }));
      return;
    }
    default:
      response.writeHead(404).end();
  }
}

/** As a server of files does: whole, one range, or not modified. */
function serveFile(request: IncomingMessage, response: ServerResponse, file: Buffer): void {
  if (request.headers['if-modified-since'] !== undefined) {
    response.writeHead(304).end();
    return;
  }
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const part = first === undefined ? file : file.subarray(Number(first), Number(last) + 1);
  const range = { 'Content-Range': `bytes ${first}-${last}/${file.length}` };
  response.writeHead(first === undefined ? 200 : 206, {
    'Content-Length': part.length,
    ...(first === undefined ? {} : range),
  });
  response.end(part);
}

function accepts(port: number, host: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
