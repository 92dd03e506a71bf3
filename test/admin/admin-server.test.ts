import { afterEach, describe, expect, it } from 'vitest';
import { type AdminServer, startAdminServer } from '../../src/admin/admin-server.ts';
import { ListenError } from '../../src/dataplane/data-plane.ts';
import { ADMIN, FakeDaemon } from './support.ts';

const running: AdminServer[] = [];

async function start(options: { host?: string; port?: number } = {}) {
  const server = await startAdminServer({ ...ADMIN, ...options }, new FakeDaemon());
  running.push(server);
  return server;
}

afterEach(async () => {
  for (const server of running.splice(0)) await server.close();
});

describe('startAdminServer', () => {
  it('listens, says where, and answers', async () => {
    const { address } = await start();
    expect(address.port).toBeGreaterThan(0);
    const answer = await fetch(`http://127.0.0.1:${address.port}/-/healthy`);
    expect(await answer.text()).toBe('ok\n');
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
