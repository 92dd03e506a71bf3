import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type AdminServer, startAdminServer } from '../../src/admin/admin-server.ts';
import { parseToken, TokenFile } from '../../src/admin/bearer-token.ts';
import { ListenError } from '../../src/dataplane/data-plane.ts';
import { runCommand } from '../support/command.ts';
import { ADMIN, FakeDaemon } from './support.ts';

const [FIRST, SECOND] = ['a-token-of-some-length', 'another-token-of-some-length'];

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'sallyport-token-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

function fileOf(content: string, mode = 0o600): string {
  const file = join(directory(), 'token');
  writeFileSync(file, content, { mode });
  return file;
}

async function start(tokenFile: string): Promise<{ daemon: FakeDaemon; server: AdminServer }> {
  const daemon = new FakeDaemon();
  const server = await startAdminServer({ ...ADMIN, tokenFile }, daemon);
  onTestFinished(() => server.close());
  return { daemon, server };
}

describe('a token', () => {
  it.each([`${FIRST}\n`, ` ${FIRST} `, 'AZaz09-._~+/AZaz09=='])(
    'is taken from %j without the white space around it',
    text => {
      expect(parseToken(text)).toEqual({ ok: true, token: text.trim() });
    },
  );

  it.each([
    ['', /^holds fewer than 16 characters \(head -c 32/],
    ['\n', /^holds fewer than 16/],
    ['0123456789abcde', /^holds fewer than 16/],
    ['x'.repeat(4097), /^holds more than 4096/],
    ['first-token-of-two\nsecond-token-of-two', /^holds characters that a header cannot carry/],
    ['a token with its spaces', /cannot carry/],
    ['"a-token-in-quotation-marks"', /cannot carry/],
    ['ein-schlüssel-mit-umlaut', /cannot carry/],
  ])('is none in %j', (text, message) => {
    const parsed = parseToken(text);
    expect(parsed).toEqual({ ok: false, message: expect.stringMatching(message) });
    if (text.length > 15) expect(JSON.stringify(parsed)).not.toContain(text.slice(0, 12));
  });
});

describe('the token file', () => {
  it('is what a change must present', async () => {
    const { server } = await start(fileOf(`${FIRST}\n`));
    const reload = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${server.address.port}/-/reload`, { method: 'POST', headers });
    expect((await reload({})).status).toBe(401);
    expect((await reload({ authorization: `Bearer ${FIRST}` })).status).toBe(200);
  });

  it.each([
    ['is missing', () => join(directory(), 'missing'), /^admin: cannot read tokenFile .*missing.*ENOENT/],
    ['is a directory', directory, /^admin: tokenFile .* is not a regular file/],
    ['is empty', () => fileOf(''), /^admin: tokenFile .* holds fewer than 16 characters \(head/],
    ['is short', () => fileOf('  \n\n'), /^admin: tokenFile .* holds fewer than 16 characters \(head/],
    ['is endless', () => '/dev/zero', /^admin: tokenFile .* is not a regular file/],
  ])('that %s keeps the daemon from starting', async (_, make, message) => {
    const starting = start(make());
    await expect(starting).rejects.toBeInstanceOf(ListenError);
    await expect(starting).rejects.toThrow(message);
  });

  it('that nobody writes into does not hold it up', async () => {
    const fifo = join(directory(), 'fifo');
    expect((await runCommand('mkfifo', [fifo])).code).toBe(0);
    await expect(start(fifo)).rejects.toThrow(/is not a regular file/);
  });

  it.each([
    [0o600, false],
    [0o640, false],
    [0o644, true],
    [0o602, true],
  ])('of mode %o: warned of is %s', async (mode, isWarned) => {
    const file = fileOf(FIRST);
    chmodSync(file, mode);
    const { daemon } = await start(file);
    expect(daemon.tokenFaults).toEqual(
      isWarned
        ? [`tokenFile ${file} can be read or written by every user of this host (chmod o= ${file})`]
        : [],
    );
  });

  it('may change: what is in it now is the token', async () => {
    const file = fileOf(FIRST);
    const token = new TokenFile(file, () => {});
    expect(await token.verify(`Bearer ${FIRST}`)).toBe('accepted');
    writeFileSync(file, SECOND);
    expect([await token.verify(`Bearer ${FIRST}`), await token.verify(`Bearer ${SECOND}`)]).toEqual([
      'refused',
      'accepted',
    ]);
  });

  it('may be a link that is led elsewhere, as Kubernetes does', async () => {
    const link = join(directory(), 'token');
    symlinkSync(fileOf(FIRST), link);
    const token = new TokenFile(link, () => {});
    expect(await token.verify(`Bearer ${FIRST}`)).toBe('accepted');
    rmSync(link);
    symlinkSync(fileOf(SECOND), link);
    expect(await token.verify(`Bearer ${FIRST}`)).toBe('refused');
  });

  it('that goes away lets nobody in, which is said once', async () => {
    const file = fileOf(FIRST);
    const { daemon, server } = await start(file);
    rmSync(file);
    const reload = () =>
      fetch(`http://127.0.0.1:${server.address.port}/-/reload`, {
        method: 'POST',
        headers: { authorization: `Bearer ${FIRST}` },
      });
    const [first, second] = [await reload(), await reload()];
    expect([first.status, second.status, daemon.reloads]).toEqual([503, 503, []]);
    expect(await first.text()).not.toContain(file);
    expect(daemon.tokenFaults).toEqual([expect.stringContaining(`cannot read tokenFile ${file}`)]);
    writeFileSync(file, FIRST);
    expect((await reload()).status).toBe(200);
  });
});
