import { describe, expect, it } from 'vitest';
import { SITE, SOURCE_SITES } from '../admin/support.ts';
import { fakeDaemon, fileWith, sallyport } from './support.ts';

const discover = async (...args: readonly string[]) => {
  const { daemon, admin } = await fakeDaemon();
  return { daemon, ...(await sallyport(['discover', ...args, '--admin', admin])) };
};

describe('discover show', () => {
  it('lists the sites', async () => {
    expect(await discover('show')).toMatchObject({
      code: 0,
      out: 'Discovered 1 visited site from VPC of gw-1:\n\na.example,tcp,443\n',
      err: '',
    });
  });

  it('lists each source apart', async () => {
    expect((await discover('show', '--by-source')).out).toBe(
      [
        'Discovered 1 visited site from VPC of gw-1:',
        '',
        '10.12.4.21 (build):',
        'a.example,tcp,443',
        '',
        '10.9.9.9:',
        'a.example,tcp,443',
        '',
      ].join('\n'),
    );
  });

  it('is JSON when asked for it', async () => {
    expect(JSON.parse((await discover('show', '--json')).out)).toEqual({
      gateway: 'gw-1',
      total: 1,
      sites: [SITE],
    });
    expect(JSON.parse((await discover('show', '--by-source', '--json')).out).sites).toEqual(SOURCE_SITES);
  });

  it('picks sites', async () => {
    const { daemon } = await discover(
      'show',
      ...['--since', '2026-01-02', '--new-since', '2026-01-01', '--source', 'build', '--verdict', 'ech'],
    );
    expect(daemon.filters).toMatchObject([
      { sinceMs: Date.UTC(2026, 0, 2), newSinceMs: Date.UTC(2026, 0, 1), verdict: 'ech' },
    ]);
    expect(daemon.filters[0]?.sources).toBeDefined();
  });

  it.each([
    [['--since', 'yesterday'], 'sallyport: since: "yesterday" is no moment (write 7d,'],
    [['--source', 'nobody'], 'sallyport: source: "nobody" is no address, block or source group (write'],
    [['--verdict', 'dany'], 'did you mean "deny"?'],
    [['--limit', 'all'], 'sallyport: limit: "all" is no number from 1 up'],
  ])('%j is a question put wrongly', async (args, message) => {
    const { code, out, err } = await discover('show', ...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });
});

describe('discover export', () => {
  it('is CSV with all that is known', async () => {
    expect((await discover('export')).out.split('\r\n')).toEqual([
      'host,protocol,port,first_seen,last_seen,flows,allow,deny,would_deny,matched,no_match,denied,reasons,ech,mismatches,spoke,last_rule,bytes_out,bytes_in,sources',
      'a.example,tcp,443,2026-01-01T00:00:00.000Z,2026-01-02T00:00:00.000Z,3,1,0,2,1,2,0,not_allowed=2,1,0,tls connect,allowed,1,2,2',
      '',
    ]);
  });

  it('has a line for each source when asked for it', async () => {
    const lines = (await discover('export', '--by-source')).out.split('\r\n');
    expect(lines.map(line => line.split(',').slice(0, 4).join())).toEqual([
      'source,groups,host,protocol',
      '10.12.4.21,build,a.example,tcp',
      '10.9.9.9,,a.example,tcp',
      '',
    ]);
  });

  it('is JSON when asked for it', async () => {
    expect(JSON.parse((await discover('export', '--json')).out).sites).toEqual([SITE]);
  });
});

describe('discover reset', () => {
  it('says how many sites it dropped', async () => {
    const { daemon, ...ran } = await discover('reset');
    expect([daemon.resets, ran]).toEqual([
      1,
      { code: 0, out: 'dropped 7 sites; counting starts anew\n', err: '' },
    ]);
  });

  it.each([
    ['--since', '7d'],
    ['--new-since', '7d'],
    ['--source', 'build'],
    ['--verdict', 'deny'],
    ['--limit', '1'],
    ['--by-source'],
  ])('drops nothing when it is asked to pick by %s', async (...args) => {
    const { daemon, ...ran } = await discover('reset', ...args);
    expect([daemon.resets, ran]).toEqual([
      0,
      { code: 2, out: '', err: `sallyport: discover reset ${args[0]}: reset forgets all sites\n` },
    ]);
  });

  it('is JSON when asked for it', async () => {
    expect(JSON.parse((await discover('reset', '--json')).out)).toEqual({ dropped: 7, sinceMs: 1 });
  });

  it('needs the token where there is one', async () => {
    const token = 'a-token-of-some-length';
    const { daemon, admin } = await fakeDaemon(fileWith(token, 'token'));
    expect((await sallyport(['discover', 'reset', '--admin', admin])).code).toBe(1);
    expect(daemon.resets).toBe(0);
    expect((await sallyport(['discover', 'reset', '--admin', admin], { SALLYPORT_TOKEN: token })).code).toBe(
      0,
    );
  });
});

it('another verb is a question put wrongly', async () => {
  expect(await discover('list')).toMatchObject({
    code: 2,
    err: 'sallyport: discover list: no such verb (discover show, export or reset)\n',
  });
});
