import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type AdminServer, startAdminServer } from '../../src/admin/admin-server.ts';
import { ListenError } from '../../src/dataplane/data-plane.ts';
import { FakeDaemon } from './support.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-admin-'));
const running: AdminServer[] = [];

async function start(options: { host?: string; port?: number; tokenFile?: string | null } = {}) {
  const server = await startAdminServer(
    { host: '127.0.0.1', port: 0, tokenFile: null, ...options },
    new FakeDaemon(),
  );
  running.push(server);
  return server;
}

afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});
afterAll(() => rmSync(directory, { recursive: true }));

const tokenFile = (content: string): string => {
  const file = join(directory, 'token');
  writeFileSync(file, content);
  return file;
};

/** `fetch` sets Host itself. */
function statusWithHost(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: '/-/healthy', headers: { host } }, response => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('startAdminServer', () => {
  it('listens, says where, and answers', async () => {
    const { address } = await start();
    expect(address.port).toBeGreaterThan(0);
    const answer = await fetch(`http://127.0.0.1:${address.port}/-/healthy`);
    expect(await answer.text()).toBe('ok\n');
  });

  it('refuses a foreign Host', async () => {
    const { address } = await start();
    expect(await statusWithHost(address.port, 'evil.example')).toBe(403);
  });

  it('says how to get around a port that is taken', async () => {
    const { address } = await start();
    const second = start({ port: address.port });
    await expect(second).rejects.toBeInstanceOf(ListenError);
    await expect(second).rejects.toThrow(
      `admin: cannot listen on 127.0.0.1:${address.port}: address already in use (stop the process`,
    );
  });

  it('says that an address is not this host’s', async () => {
    await expect(start({ host: '198.51.100.1' })).rejects.toThrow(
      /no such address on this host \(use one of its own/,
    );
  });

  it('stops listening, and cuts connections that are kept alive', async () => {
    const { address, close } = await start();
    await fetch(`http://127.0.0.1:${address.port}/-/healthy`);
    await close();
    await expect(fetch(`http://127.0.0.1:${address.port}/-/healthy`)).rejects.toThrow();
  });
});

describe('the token file', () => {
  it('is what a change must present, without the newline around it', async () => {
    const { address } = await start({ tokenFile: tokenFile('a-token-of-some-length\n') });
    const reload = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${address.port}/-/reload`, { method: 'POST', headers });
    expect((await reload({})).status).toBe(401);
    expect((await reload({ authorization: 'Bearer a-token-of-some-length' })).status).toBe(200);
  });

  it('must be there', async () => {
    const missing = start({ tokenFile: join(directory, 'missing') });
    await expect(missing).rejects.toBeInstanceOf(ListenError);
    await expect(missing).rejects.toThrow(/cannot read tokenFile .*missing.*ENOENT/);
  });

  it.each(['', '\n', '  \n\n'])('must not be short: %j', async content => {
    await expect(start({ tokenFile: tokenFile(content) })).rejects.toThrow(/holds fewer than 16 characters/);
  });
});
