import { describe, expect, it } from 'vitest';
import { ask } from './ask.ts';

/** A page of evil.example lets its name lead to the admin address: the browser then says Host: evil.example. */
describe('DNS rebinding', () => {
  it.each([
    ['localhost:9464', 200],
    ['LOCALHOST', 200],
    ['127.0.0.1:9464', 200],
    ['127.9.9.9:1', 200],
    ['[::1]:9464', 200],
    ['evil.example', 403],
    ['evil.example:9464', 403],
    ['localhost.', 403],
    ['localhost.evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['127.0.0.1:9464@evil.example', 403],
    ['127.0.0.1, evil.example', 403],
    ['0.0.0.0:9464', 403],
    ['10.1.2.3:9464', 403],
    ['[::ffff:127.0.0.1]:9464', 403],
    ['[::1', 403],
    ['localhost:', 403],
    ['', 403],
  ])('on loopback, with Host %j: %i', async (host, status) => {
    expect((await ask({ path: '/api/v1/status', headers: { host } })).status).toBe(status);
  });

  it.each([
    ['localhost:9464', 200],
    ['10.1.2.3:9464', 200],
    ['127.0.0.1:9464', 200],
    ['[fd00::1]:9464', 200],
    ['evil.example:9464', 403],
    ['10.1.2.3.evil.example', 403],
    ['2130706433', 403],
    ['0x7f.1', 403],
    ['[fd00::1', 403],
    ['', 403],
  ])('off loopback, where it is asked by address, with Host %j: %i', async (host, status) => {
    const { status: answered } = await ask({ path: '/metrics', headers: { host } }, undefined, {
      isLoopback: false,
    });
    expect(answered).toBe(status);
  });

  it.each([
    ['sallyport.internal:9464', 200],
    ['Sallyport.Internal', 200],
    ['a.sallyport.internal', 403],
    ['internal', 403],
  ])('by the names of admin.hostnames, with Host %j: %i', async (host, status) => {
    for (const isLoopback of [true, false]) {
      const guard = { isLoopback, hostnames: ['sallyport.internal'] };
      expect((await ask({ path: '/metrics', headers: { host } }, undefined, guard)).status).toBe(status);
    }
  });

  it('says how the name is let in', async () => {
    const { text } = await ask({ path: '/metrics', headers: { host: 'gw.internal' } });
    expect(text).toContain('or list the name in admin.hostnames');
  });
});
