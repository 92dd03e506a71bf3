import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { type CommandResult, runCommand } from '../support/command.ts';
import { TestDaemon } from '../support/daemon.ts';
import { Scope } from '../support/scope.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const POLICY = `# Who may go where.
version: 1
mode: observe          # until the trial ends

rules:
  # Ann's.
  - name: api
    hosts:
      - api.example    # the old one
`;

describe('changing the policy of a running daemon', () => {
  const scope = new Scope();
  afterAll(() => scope.close());

  async function start(policy = POLICY, config: Readonly<Record<string, unknown>> = {}): Promise<TestDaemon> {
    const daemon = await TestDaemon.start({ policy, config });
    scope.defer(() => daemon.kill());
    return daemon;
  }

  const run = (daemon: TestDaemon, ...args: string[]): Promise<CommandResult> =>
    runCommand(process.execPath, [MAIN, ...args, '--admin', daemon.admin]);

  const audits = (daemon: TestDaemon, count: number) => daemon.collect(line => line.event === 'audit', count);

  it('mode, allow and deny: the file keeps every other byte, and the daemon does as it says', async () => {
    const daemon = await start();
    const enforced = await run(daemon, 'mode', 'enforce', '--force', '--yes');
    expect(enforced).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('the daemon runs it: 1 rules, mode enforce'),
    });
    const allowed = await run(daemon, 'allow', 'new.example', '*.cdn.example', '--port', '443,8443', '--yes');
    expect(allowed.code).toBe(0);
    const denied = await run(
      daemon,
      'deny',
      'old.example',
      '--rule',
      'no-old',
      '--until',
      '2030-01-31',
      '--yes',
    );
    expect(denied.code).toBe(0);
    expect(readFileSync(daemon.policyPath, 'utf8')).toBe(
      `${POLICY.replace('observe ', 'enforce ')}  - name: allowed-by-command
    hosts:
      - new.example
      - "*.cdn.example"
    ports: [443, 8443]
  - name: no-old
    action: deny
    hosts:
      - old.example
    until: 2030-01-31
`,
    );
    expect((await run(daemon, 'explain', 'x.cdn.example:8443')).code).toBe(0);
    expect((await run(daemon, 'explain', 'old.example')).stdout).toContain('no-old');
    expect(await audits(daemon, 3)).toMatchObject([
      { action: 'mode', result: 'applied', auth: 'loopback', changes: ['mode observe -> enforce'] },
      { action: 'allow', result: 'applied', lines_added: 5, lines_removed: 0 },
      { action: 'deny', result: 'applied', changes: ['rule no-old added: deny old.example'] },
    ]);
    const removed = await run(daemon, 'allow', 'new.example', '*.cdn.example', '--remove', '--yes');
    expect(removed.code).toBe(0);
    expect((await run(daemon, 'explain', 'new.example')).code).toBe(1);
  });

  it('a dry run leaves file, daemon and audit alone', async () => {
    const daemon = await start();
    const { code, stdout } = await run(daemon, 'deny', 'api.example', '--dry-run');
    expect([code, stdout]).toEqual([0, expect.stringContaining('+  - name: denied-by-command\n')]);
    expect(readFileSync(daemon.policyPath, 'utf8')).toBe(POLICY);
    expect(daemon.lines.filter(line => line.event === 'audit' || line.event === 'reload')).toEqual([]);
  });

  it('enforce is refused while nothing speaks for it, and said in the audit', async () => {
    const daemon = await start();
    const { code, stderr } = await run(daemon, 'mode', 'enforce', '--yes');
    expect([code, stderr]).toEqual([1, expect.stringContaining('no traffic was seen\n')]);
    expect(stderr).toContain('--force enforces all the same');
    expect(await audits(daemon, 1)).toMatchObject([
      { action: 'mode', result: 'refused', refusal: expect.stringContaining('not_ready') },
    ]);
    expect(readFileSync(daemon.policyPath, 'utf8')).toBe(POLICY);
  });

  it('a policy in a directory is changed in the files that say it', async () => {
    const daemon = await start(POLICY);
    const directory = join(daemon.directory, 'policy.d');
    mkdirSync(directory);
    writeFileSync(join(directory, 'a.yaml'), POLICY);
    writeFileSync(join(directory, 'b.yaml'), 'version: 1\r\nmode: observe\r\nrules: []\r\n');
    const other = await start(POLICY, { policy: directory });
    expect((await run(other, 'mode', 'enforce', '--force', '--yes')).code).toBe(0);
    expect(readFileSync(join(directory, 'a.yaml'), 'utf8')).toBe(POLICY.replace('observe ', 'enforce '));
    expect(readFileSync(join(directory, 'b.yaml'), 'utf8')).toBe(
      'version: 1\r\nmode: enforce\r\nrules: []\r\n',
    );
    expect((await run(other, 'status')).stdout).toContain('mode enforce');
  });

  it('GET and PUT go round, and a stale ETag is refused', async () => {
    const daemon = await start();
    const url = `${daemon.admin}/api/v1/policy`;
    const got = await fetch(url);
    const etag = got.headers.get('etag') ?? '';
    expect(await got.text()).toBe(POLICY);
    const put = (text: string, match: string) =>
      fetch(url, { method: 'PUT', body: text, headers: { 'if-match': match } });
    const answer = await put(`${POLICY}  - { name: more, hosts: [more.example] }\n`, etag);
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { result: 'applied', changes: ['rule more added: allow more.example'], policy: { rules: 2 } },
    ]);
    const stale = await put(POLICY, etag);
    expect([stale.status, await stale.json()]).toMatchObject([412, { refusal: 'changed' }]);
    const broken = await put('version: 1\nrules:\n  - { name: x, hsts: [] }\n', '*');
    expect([broken.status, await broken.json()]).toMatchObject([
      422,
      { errors: expect.arrayContaining([expect.stringContaining('unknown key "hsts"')]) },
    ]);
    expect((await run(daemon, 'status')).stdout).toContain('2 rules');
    expect(await audits(daemon, 3)).toMatchObject([
      { action: 'replace', result: 'applied' },
      { action: 'replace', result: 'refused' },
      { action: 'replace', result: 'refused' },
    ]);
  });

  it('many at once: each change is made on what the others have left', async () => {
    const daemon = await start();
    const hosts = Array.from({ length: 8 }, (_, i) => `h${i}.example`);
    const answers = await Promise.all(
      hosts.map(host =>
        fetch(`${daemon.admin}/api/v1/allow`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ hosts: [host] }),
        }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(hosts.map(() => 200));
    const lines = hosts.map(host => `      - ${host}\n`);
    const text = readFileSync(daemon.policyPath, 'utf8');
    const written = text.split(/(?<=\n)/).filter(line => /- h\d/.test(line));
    expect(written.sort()).toEqual(lines);
    expect((await run(daemon, 'status')).stdout).toContain('2 rules');
  });

  it('many commands at once: no change is lost', async () => {
    const daemon = await start();
    const hosts = Array.from({ length: 10 }, (_, i) => `h${i}.example`);
    const ran = await Promise.all(hosts.map(host => run(daemon, 'allow', host, '--yes')));
    for (const { code, stderr } of ran)
      expect([code, stderr]).toEqual([0, expect.stringMatching(/^changed; /m)]);
    for (const host of hosts) expect(readFileSync(daemon.policyPath, 'utf8')).toContain(`- ${host}\n`);
  });

  it('a policy that went away is missing, not changed', async () => {
    const daemon = await start();
    rmSync(daemon.policyPath);
    const { code, stderr } = await run(daemon, 'allow', 'a.example', '--yes');
    expect([code, stderr]).toEqual([1, expect.stringContaining('does not exist')]);
  });
});
