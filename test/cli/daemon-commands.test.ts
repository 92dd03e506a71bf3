import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { STATUS } from '../admin/support.ts';
import { deadAddress, fakeDaemon, fileWith, sallyport } from './support.ts';

describe('where the daemon is asked', () => {
  it.each<[string, (admin: string) => [string[], NodeJS.ProcessEnv]]>([
    ['--admin with an address', admin => [['--admin', admin], {}]],
    ['--admin with a URL', admin => [['--admin', `http://${admin}`], {}]],
    ['--admin with a URL and a slash', admin => [['--admin', `http://${admin}/`], {}]],
    ['SALLYPORT_ADMIN', admin => [[], { SALLYPORT_ADMIN: admin }]],
    ['--admin before SALLYPORT_ADMIN', admin => [['--admin', admin], { SALLYPORT_ADMIN: '127.0.0.1:1' }]],
  ])('%s', async (_, makeArgs) => {
    const { admin } = await fakeDaemon();
    const [args, env] = makeArgs(admin);
    expect(await sallyport(['healthcheck', ...args], env)).toMatchObject({ code: 0, out: 'ok\n' });
  });

  it.each([['healthcheck'], ['status'], ['reload'], ['discover', 'show'], ['explain', 'a.example']])(
    '%s says that nothing answers, where it asked, and what to do',
    async (...command) => {
      const admin = await deadAddress();
      const { code, out, err } = await sallyport([...command, '--admin', admin]);
      expect([code, out]).toEqual([1, '']);
      expect(err).toMatch(
        new RegExp(
          `^sallyport: no daemon answers at http://${admin}: .*ECONNREFUSED.*\\(is it running\\? --admin`,
        ),
      );
      expect(err.trimEnd().split('\n')).toHaveLength(1);
    },
  );

  it.each([['status'], ['discover', 'show'], ['reload']])(
    '%s says that something else answers there',
    async (...command) => {
      const server = createServer((_request, response) => response.writeHead(404).end('<html>'));
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void server.close());
      const { port } = server.address() as AddressInfo;
      const { code, out, err } = await sallyport([...command, '--admin', `127.0.0.1:${port}`]);
      expect([code, out, err]).toEqual([1, '', 'sallyport: the daemon answered 404\n']);
    },
  );
});

describe('an address that is none', () => {
  it.each([
    ['ftp://127.0.0.1:21', 'sallyport: --admin ftp://127.0.0.1:21: no address (write 127.0.0.1:9464'],
    ['127.0.0.1:port', 'sallyport: --admin 127.0.0.1:port: no address (write 127.0.0.1:9464'],
    ['http://ann:secret@127.0.0.1:9464', 'sallyport: the admin address holds a name or a password'],
  ])('%s', async (admin, message) => {
    const { code, err } = await sallyport(['status', '--admin', admin]);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
    expect(err).not.toContain('secret');
  });
});

describe('healthcheck', () => {
  it.each([
    ['ready', [], 0, 'ok\n'],
    ['draining', [], 0, 'ok\n'],
    ['ready', ['--ready'], 0, 'ok\n'],
    ['draining', ['--ready'], 1, 'not ok: /-/ready answered 503\n'],
    ['starting', ['--ready'], 1, 'not ok: /-/ready answered 503\n'],
  ] as const)('while %s, with %j', async (state, args, code, out) => {
    const { daemon, admin } = await fakeDaemon();
    daemon.current = { ...STATUS, state };
    expect(await sallyport(['healthcheck', ...args, '--admin', admin])).toEqual({ code, out, err: '' });
  });
});

describe('status', () => {
  it('shows what the daemon is doing', async () => {
    const { admin } = await fakeDaemon();
    const { code, out, err } = await sallyport(['status', '--admin', admin]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(
      [
        'gw-1: sallyport 9.9.9, pid 42, ready, up since 2026-01-01T00:00:00.000Z',
        'policy     /etc/policy.yaml (5a5a5a5a5a5a): mode observe, 1 rules, loaded 2026-01-01T00:00:00.000Z',
        'data plane epoll, 2 workers, at most 1000 flows',
        'listener   proxy (explicit) on 127.0.0.1:3128: 3 open flows',
        'relayed    10 bytes out, 20 bytes in; 1 sites seen',
        '',
      ].join('\n'),
    );
  });

  it('shows the rules and their hits', async () => {
    const { admin } = await fakeDaemon();
    const { out } = await sallyport(['status', '--rules', '--admin', admin]);
    expect(out).toMatch(/^RULE\s+ACTION\s+HITS\s+LAST HIT\s+COUNTED SINCE\s+PLACE$/m);
    expect(out).toMatch(
      /^allowed\s+allow\s+7\s+2026-01-02T00:00:00\.000Z\s+2026-01-01T00:00:00\.000Z\s+policy\.yaml:2$/m,
    );
    expect(out).not.toContain('not hit');
  });

  it('names the rules that were not hit since a time', async () => {
    const { daemon, admin } = await fakeDaemon();
    const late = await sallyport(['status', '--rules', '--since', '2026-01-03', '--admin', admin]);
    expect(late.out).toContain('\nnot hit since 2026-01-03T00:00:00.000Z: allowed\n');
    daemon.hits = { ...daemon.hits, hits: 0, firstMs: null, lastMs: null };
    const never = await sallyport(['status', '--rules', '--admin', admin]);
    expect(never.out).toContain('\nnot hit since they are counted: allowed\n');
    const wrong = await sallyport(['status', '--rules', '--since', 'long', '--admin', admin]);
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--since: "long" is no moment')]);
  });

  it('says where sites are kept, and why they cannot be', async () => {
    const { daemon, admin } = await fakeDaemon();
    const siteStore = {
      path: '/data/x.db',
      state: 'failing',
      error: 'the disk is full',
      keptMs: null,
    } as const;
    daemon.current = { ...STATUS, siteStore };
    const { out } = await sallyport(['status', '--admin', admin]);
    expect(out).toContain('sites      kept in /data/x.db: failing: the disk is full\n');
  });

  it('exits with 1 when the last reload failed, and shows why', async () => {
    const { daemon, admin } = await fakeDaemon();
    daemon.current = {
      ...STATUS,
      policy: { ...STATUS.policy, lastReloadErrors: ['policy.yaml:1:1: no'] },
      logLinesDropped: 4,
    };
    const { code, out } = await sallyport(['status', '--admin', admin]);
    expect(code).toBe(1);
    expect(out).toContain('last reload failed: policy.yaml:1:1: no');
    expect(out).toContain('4 lines lost');
  });

  it('is JSON when asked for it', async () => {
    const { admin } = await fakeDaemon();
    expect(JSON.parse((await sallyport(['status', '--json', '--admin', admin])).out)).toEqual(STATUS);
    const withRules = JSON.parse((await sallyport(['status', '--json', '--rules', '--admin', admin])).out);
    expect(withRules).toMatchObject({ gateway: 'gw-1', rules: [{ name: 'allowed', hits: 7 }] });
  });
});

describe('reload', () => {
  it.each([
    ['success', 'reloaded'],
    ['unchanged', 'unchanged'],
  ] as const)('says that it was a %s', async (result, word) => {
    const { daemon, admin } = await fakeDaemon();
    daemon.outcome = { result, policy: STATUS.policy, warnings: ['policy.yaml:2:1: warning: hm'] };
    expect(await sallyport(['reload', '--admin', admin])).toEqual({
      code: 0,
      out: `${word}: 1 rules, mode observe, 5a5a5a5a5a5a\n`,
      err: 'policy.yaml:2:1: warning: hm\n',
    });
  });

  it('exits with 1 and the diagnostics when the policy did not load', async () => {
    const { daemon, admin } = await fakeDaemon();
    daemon.outcome = { result: 'failure', policy: STATUS.policy, errors: ['policy.yaml:1:1: no'] };
    expect(await sallyport(['reload', '--admin', admin])).toEqual({
      code: 1,
      out: '',
      err: 'policy.yaml:1:1: no\nnot reloaded: the running policy (5a5a5a5a5a5a) stays\n',
    });
  });

  it('is JSON when asked for it', async () => {
    const { daemon, admin } = await fakeDaemon();
    expect(JSON.parse((await sallyport(['reload', '--json', '--admin', admin])).out)).toEqual(daemon.outcome);
  });

  describe('where a token is needed', () => {
    const TOKEN = 'a-token-of-some-length';

    it('says so', async () => {
      const { daemon, admin } = await fakeDaemon(fileWith(TOKEN, 'token'));
      const { code, err } = await sallyport(['reload', '--admin', admin]);
      expect([code, daemon.reloads]).toEqual([1, []]);
      expect(err).toBe(
        'sallyport: the daemon answered 401: a bearer token is needed (--token-file, or SALLYPORT_TOKEN)\n',
      );
    });

    it('takes it from a file', async () => {
      const { daemon, admin } = await fakeDaemon(fileWith(TOKEN, 'token'));
      const { code } = await sallyport([
        'reload',
        '--admin',
        admin,
        '--token-file',
        fileWith(`${TOKEN}\n`, 'token'),
      ]);
      expect([code, daemon.reloads]).toEqual([0, ['http']]);
    });

    it('takes it from SALLYPORT_TOKEN', async () => {
      const { admin } = await fakeDaemon(fileWith(TOKEN, 'token'));
      expect((await sallyport(['reload', '--admin', admin], { SALLYPORT_TOKEN: TOKEN })).code).toBe(0);
    });

    it.each([
      ['a line too many', 'first-line-of-a-token\nsecond-line-of-a-token'],
      ['spaces', 'a token of some length'],
      ['a letter too far', 'ein-schlüssel-mit-umlaut'],
      ['too little', 'short'],
    ])('refuses a token with %s, and does not say it', async (_, text) => {
      const { admin } = await fakeDaemon(fileWith(TOKEN, 'token'));
      const byVariable = await sallyport(['reload', '--admin', admin], { SALLYPORT_TOKEN: text });
      const file = fileWith(text, 'token');
      const byFile = await sallyport(['reload', '--admin', admin, '--token-file', file]);
      expect([byVariable.code, byVariable.err]).toEqual([
        2,
        expect.stringMatching(/^sallyport: SALLYPORT_TOKEN holds /),
      ]);
      expect([byFile.code, byFile.err]).toEqual([
        2,
        expect.stringContaining(`sallyport: --token-file ${file} holds `),
      ]);
      for (const { err } of [byVariable, byFile]) expect(err).not.toContain(text.slice(0, 9));
    });

    it('does not follow where it is led, for the token would go along', async () => {
      const asked: unknown[] = [];
      const elsewhere = createServer((request, response) => {
        asked.push(request.headers);
        response.end('{}');
      });
      const server = createServer((_request, response) => {
        const { port } = elsewhere.address() as AddressInfo;
        response.writeHead(307, { location: `http://127.0.0.1:${port}/` }).end();
      });
      for (const each of [elsewhere, server]) {
        await new Promise<void>(resolve => each.listen(0, '127.0.0.1', resolve));
        onTestFinished(() => void each.close());
      }
      const { port } = server.address() as AddressInfo;
      const { code, err } = await sallyport(['reload', '--admin', `127.0.0.1:${port}`], {
        SALLYPORT_TOKEN: TOKEN,
      });
      expect([code, err, asked]).toEqual([1, 'sallyport: the daemon answered 307\n', []]);
    });

    it('says that the file cannot be read', async () => {
      const { code, err } = await sallyport([
        'reload',
        '--admin',
        '127.0.0.1:1',
        '--token-file',
        '/nowhere/token',
      ]);
      expect(code).toBe(1);
      expect(err).toMatch(/^sallyport: cannot read --token-file \/nowhere\/token: .*ENOENT/);
    });
  });
});
