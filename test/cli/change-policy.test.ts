import { chmodSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { REPORT, STATUS } from '../admin/support.ts';
import { fakeDaemon, fileWith, sallyport } from './support.ts';

const POLICY = `version: 1
mode: observe # so far
rules:
  - name: api
    hosts: [api.example]
`;

const DIFF = (file: string) => `--- ${file}
+++ ${file}
@@ -1,5 +1,5 @@
 version: 1
-mode: observe # so far
+mode: enforce # so far
 rules:
   - name: api
     hosts: [api.example]
`;

/** Runs a command line for somebody at a terminal who answers `answer`. */
async function atTerminal(args: readonly string[], answer: string, env: NodeJS.ProcessEnv = {}) {
  let [out, err] = ['', ''];
  const code = await runProgram(args, {
    out: text => {
      out += text;
    },
    err: text => {
      err += text;
    },
    env,
    stdin: Readable.from([]),
    errIsTerminal: true,
    terminal: {
      ask: async question => {
        err += question;
        return answer;
      },
    },
  });
  return { code, out, err };
}

describe('in a file, without a daemon', () => {
  it('a change is shown and made', async () => {
    const file = fileWith(POLICY);
    const { code, out, err } = await sallyport(['mode', 'enforce', '--policy', file, '--force', '--yes']);
    expect([code, out, err]).toEqual([
      0,
      DIFF(file),
      'changed; a daemon that watches this file takes it by itself\n',
    ]);
    expect(readFileSync(file, 'utf8')).toBe(POLICY.replace('observe', 'enforce'));
  });

  it('a dry run changes nothing, and prints nothing but the difference', async () => {
    const file = fileWith(POLICY);
    const { code, out, err } = await sallyport(['mode', 'enforce', '--policy', file, '--force', '--dry-run']);
    expect([code, out, err]).toEqual([0, DIFF(file), 'nothing was changed: this was a dry run\n']);
    expect(readFileSync(file, 'utf8')).toBe(POLICY);
  });

  it('enforce wants force, for no daemon has watched', async () => {
    const file = fileWith(POLICY);
    const { code, err } = await sallyport(['mode', 'enforce', '--policy', file, '--yes']);
    expect([code, err]).toEqual([
      1,
      'nobody can tell what enforcing would refuse (--force enforces all the same)\nnot changed\n',
    ]);
    expect(readFileSync(file, 'utf8')).toBe(POLICY);
  });

  it('hosts are allowed and taken back', async () => {
    const file = fileWith(POLICY);
    const allow = ['allow', 'A.example', '*.b.example', '--policy', file, '--yes'];
    expect((await sallyport([...allow, '--port', '443,8443', '--from', '10.0.0.0/8'])).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(
      `${POLICY}  - name: allowed-by-command\n    hosts:\n      - A.example\n      - "*.b.example"\n    ports: [443, 8443]\n    from:\n      - 10.0.0.0/8\n`,
    );
    expect((await sallyport([...allow, '--remove'])).code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(POLICY);
  });

  it('of many at once, each is made on what the others have left', async () => {
    const file = fileWith(POLICY);
    const hosts = Array.from({ length: 10 }, (_, i) => `h${i}.example`);
    const ran = await Promise.all(hosts.map(host => sallyport(['allow', host, '--policy', file, '--yes'])));
    expect(ran.map(({ code }) => code)).toEqual(hosts.map(() => 0));
    for (const host of hosts) expect(readFileSync(file, 'utf8')).toContain(`- ${host}\n`);
  });

  it('what is so already is no change', async () => {
    const file = fileWith(POLICY);
    expect(await sallyport(['allow', 'api.example', '--policy', file, '--yes'])).toEqual({
      code: 0,
      out: '',
      err: 'api.example stands in rule api already\nnothing to change\n',
    });
  });

  it('warnings come with the difference', async () => {
    const { code, err } = await sallyport(['deny', 'api.example', '--policy', fileWith(POLICY), '--dry-run']);
    expect([code, err]).toEqual([0, expect.stringContaining('never allowed: rule denied-by-command')]);
  });

  it('is JSON when asked for it', async () => {
    const { out, err } = await sallyport([
      'deny',
      'x.example',
      '--policy',
      fileWith(POLICY),
      '--json',
      '--yes',
    ]);
    expect(JSON.parse(out)).toMatchObject({
      result: 'applied',
      changes: ['rule denied-by-command added: deny x.example'],
    });
    expect(err).toContain('changed; ');
  });

  it('a file that cannot be written is left alone, with the difference to apply by hand', async () => {
    const file = fileWith(POLICY, 'real.yaml');
    const version = join(dirname(file), '..2026_11_21_10_00_00.1');
    mkdirSync(version);
    renameSync(file, join(version, 'real.yaml'));
    const link = join(dirname(file), 'policy.yaml');
    symlinkSync(join(version, 'real.yaml'), link);
    const { code, out, err } = await sallyport(['mode', 'enforce', '--policy', link, '--force', '--yes']);
    expect([code, err]).toEqual([
      1,
      `${link} comes from a Kubernetes ConfigMap or Secret: change that one\nnot changed: apply the difference by hand\n`,
    ]);
    expect(out).toBe(DIFF(link));
  });

  it('the mode of the file stays', async () => {
    const file = fileWith(POLICY);
    chmodSync(file, 0o640);
    await sallyport(['deny', 'x.example', '--policy', file, '--yes']);
    expect((await import('node:fs')).statSync(file).mode & 0o777).toBe(0o640);
  });

  it('a policy with errors is not changed', async () => {
    const file = fileWith('version: 1\nrules:\n  - { name: a, hsts: [a.example] }\n');
    const { code, err } = await sallyport(['allow', 'x.example', '--policy', file, '--yes']);
    expect([code, err.split('\n').slice(-3)]).toEqual([
      1,
      ['the policy has errors already, mend them first', 'not changed', ''],
    ]);
  });
});

describe('somebody at a terminal', () => {
  it.each([
    ['y', 0],
    ['YES ', 0],
    ['n', 1],
    ['', 1],
    ['yesterday', 1],
  ])('is asked, and answers %j', async (answer, code) => {
    const file = fileWith(POLICY);
    const ran = await atTerminal(['deny', 'x.example', '--policy', file], answer);
    expect(ran.code).toBe(code);
    expect(ran.err).toContain('change the policy? [y/N] ');
    expect(readFileSync(file, 'utf8').includes('x.example')).toBe(code === 0);
  });

  it('sees colours', async () => {
    const { out } = await atTerminal(['mode', 'enforce', '--force', '--policy', fileWith(POLICY)], 'n');
    expect(out).toContain('\u001b[31m-mode: observe # so far\u001b[0m\n');
    expect(out).toContain('\u001b[32m+mode: enforce # so far\u001b[0m\n');
  });

  it.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }])('sees none with %j', async env => {
    const { out } = await atTerminal(['mode', 'enforce', '--force', '--policy', fileWith(POLICY)], 'n', env);
    expect(out).not.toContain('\u001b');
  });

  it('is shown control characters of a file, which do nothing', async () => {
    const file = fileWith(POLICY.replace('# so far', '# \u009b2J\r'));
    const { out } = await atTerminal(['mode', 'enforce', '--force', '--policy', file], 'n');
    expect(out).toContain('-mode: observe # \\x9b2J\u001b');
  });
});

describe('a question that is put wrongly', () => {
  it.each<[string[], string]>([
    [['mode', 'enforced', '--yes'], 'mode enforced: no such mode (mode observe, mode enforce)'],
    [
      ['mode', 'enforce', '--until', '2027-01-01', '--yes'],
      '--until goes with mode observe for the whole policy: it sets observeUntil',
    ],
    [
      ['mode', 'observe', '--until', '2027-01-01', '--source', 'a', '--yes'],
      '--until goes with mode observe for the whole policy: it sets observeUntil',
    ],
    [['mode', 'observe'], 'there is nobody to ask: add --yes to change the policy, or --dry-run to see how'],
    [['allow', 'a.example:8443', '--yes'], 'a.example:8443: a port goes to --port'],
    [['allow', 'a.example', '--port', '443,x', '--yes'], '--port x: no port from 1 to 65535'],
    [['allow', 'a.example', '--from', 'build,', '--yes'], '--from build,: an empty item in the list'],
    [
      ['deny', 'a.example', '--remove', '--port', '80', '--yes'],
      '--port, --from and --until do not go with --remove (--rule names the rule)',
    ],
  ])('%j', async (args, message) => {
    expect(await sallyport(args)).toEqual({ code: 2, out: '', err: `sallyport: ${message}\n` });
  });

  it.each([['a..example'], ['https://a.example/'], ['10.0.0.1']])('allow %s', async host => {
    const { code, err } = await sallyport(['allow', host, '--yes']);
    expect([code, err]).toEqual([2, expect.stringMatching(/^sallyport: .*\(.*\)\n$/)]);
  });
});

describe('by the daemon', () => {
  it('a change is planned, shown, then made for the policy it was planned for, by whoever runs the command', async () => {
    const { daemon, admin } = await fakeDaemon();
    const { changes } = daemon;
    changes.outcome = { ...REPORT, result: 'planned', etag: 'e7'.repeat(32) };
    const ask = changes.change.bind(changes);
    changes.change = async (change, request) => {
      const outcome = await ask(change, request);
      return request.dryRun ? outcome : { ...REPORT, result: 'applied', policy: STATUS.policy };
    };
    const { code, out, err } = await atTerminal(['mode', 'enforce', '--force', '--admin', admin], 'y', {
      NO_COLOR: '1',
    });
    expect([code, out, err]).toEqual([
      0,
      REPORT.diff,
      'change the policy? [y/N] changed; the daemon runs it: 1 rules, mode observe, 5a5a5a5a5a5a\nthe policy was changed again before the daemon read it\n',
    ]);
    expect(changes.asked.map(({ request }) => request)).toMatchObject([
      { dryRun: true, ifMatch: null, force: true },
      {
        dryRun: false,
        ifMatch: ['e7'.repeat(32)],
        by: { user: expect.stringMatching(/./), auth: 'loopback' },
      },
    ]);
    expect(changes.asked[0]?.request.by.peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('with --yes it is made at once, and again while others come first', async () => {
    const { daemon, admin } = await fakeDaemon();
    const { changes } = daemon;
    const beaten = ['changed', 'busy', 'changed'] as const;
    changes.change = async (change, request) => {
      const refusal = beaten[changes.asked.length];
      changes.asked.push({ change, request });
      if (refusal !== undefined) return { result: 'refused', refusal, errors: ['no'], diff: '' };
      return { ...REPORT, result: 'applied', policy: { ...STATUS.policy, sha256: REPORT.after } };
    };
    const { code, out } = await sallyport(['deny', 'a.example', '--yes', '--admin', admin]);
    expect([code, out]).toEqual([0, REPORT.diff]);
    expect(changes.asked.map(({ request }) => [request.dryRun, request.ifMatch])).toEqual(
      Array.from({ length: 4 }, () => [false, null]),
    );
  });

  it('says why it was refused', async () => {
    const { daemon, admin } = await fakeDaemon();
    const errors = ['(other): no weekend was watched', 'enforcing is not ready'];
    daemon.changes.outcome = { result: 'refused', refusal: 'not_ready', errors, diff: REPORT.diff };
    expect(await sallyport(['mode', 'enforce', '--yes', '--admin', admin])).toEqual({
      code: 1,
      out: '',
      err: `${errors.join('\n')}\nnot changed\n`,
    });
  });

  it('sends the token, and says that one is needed', async () => {
    const token = 'a-token-of-some-length';
    const { daemon, admin } = await fakeDaemon(fileWith(token, 'token'));
    const args = ['deny', 'a.example', '--yes', '--admin', admin];
    expect(await sallyport(args)).toMatchObject({
      code: 1,
      err: 'sallyport: the daemon answered 401: a bearer token is needed (--token-file, or SALLYPORT_TOKEN)\n',
    });
    expect((await sallyport(args, { SALLYPORT_TOKEN: token })).code).toBe(0);
    expect(daemon.changes.asked).toHaveLength(1);
    expect(daemon.audited).toMatchObject([{ result: 'refused' }]);
  });
});
