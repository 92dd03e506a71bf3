import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { written } from '../flow-log/support.ts';
import { decision } from '../observe/support.ts';
import { fileWith, sallyport } from './support.ts';

const POLICY = 'version: 1\nmode: enforce\nrules:\n  - { name: api, hosts: [api.example] }\n';
const ALLOWED = { state: 'MATCHED', action: 'allow', reason: null, rule: 'before' } as const;
const KEPT = written('json', decision({ ...ALLOWED, hostname: 'api.example' })).join('');
const LOST = written('json', decision({ ...ALLOWED, hostname: 'gone.example' })).join('');
const GAINED = written('json', decision({ hostname: 'api.example' })).join('');
const DROPPED = written('json', decision({ hostname: 'other.example' })).join('');

async function replay(log: string, args: readonly string[] = [], policy = POLICY) {
  const file = fileWith(policy);
  const ran = await sallyport(['replay', '--policy', file, '--from', '-', ...args], {}, [log]);
  return { ...ran, out: ran.out.replaceAll(file, 'new.yaml') };
}

describe('replay', () => {
  it('says yes when no flow that was allowed is lost', async () => {
    const { code, out, err } = await replay(KEPT + GAINED + DROPPED + DROPPED);
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(
      [
        'not allowed, would be allowed, 1 flow:',
        '  api.example:443  NO_MATCH (not_allowed) -> MATCHED by api  1 flow from 10.12.4.21, last 2026-11-21T01:34:58.901Z',
        '',
        'all that mode: enforce would drop, 2 flows:',
        '  other.example:443  NO_MATCH (not_allowed)  2 flows from 10.12.4.21, last 2026-11-21T01:34:58.901Z',
        '',
        'new.yaml: of 4 flows 3 keep their verdict, 0 would be lost, 1 gained, 0 denied for another reason',
        '',
      ].join('\n'),
    );
  });

  it('says no when one is', async () => {
    const { code, out } = await replay(KEPT + LOST);
    expect(code).toBe(1);
    expect(out).toMatch(
      /^ALLOWED, WOULD BE DENIED, 1 flow:\n {2}gone\.example:443 {2}MATCHED by before -> NO_MATCH \(not_allowed\)/,
    );
  });

  it('prints JSON when asked for it', async () => {
    const { code, out, err } = await replay(LOST + DROPPED, ['--json']);
    expect([code, err]).toEqual([1, '']);
    expect(JSON.parse(out)).toMatchObject({
      records: 2,
      flows: 2,
      lost: 1,
      changes: [
        { kind: 'lost', hostname: 'gone.example', port: 443, before: { state: 'MATCHED', rule: 'before' } },
      ],
      enforceWouldDrop: { flows: 2, groups: [{}, {}] },
    });
  });

  it('takes several logs, gzipped ones too', async () => {
    const logs = [fileWith(KEPT, 'a.jsonl'), fileWith(LOST, 'b.jsonl')];
    const packed = fileWith(gzipSync(LOST + LOST), 'c.gz');
    const { code, out } = await sallyport([
      'replay',
      '--policy',
      fileWith(POLICY),
      '--from',
      ...logs,
      packed,
    ]);
    expect(code).toBe(1);
    expect(out).toContain('of 4 flows 1 keep their verdict, 3 would be lost');
  });

  it('shows the first groups of a kind, and all when asked for them', async () => {
    const log = Array.from({ length: 40 }, (_, i) =>
      written('json', decision({ ...ALLOWED, hostname: `h${i}.example` })).join(''),
    ).join('');
    expect((await replay(log)).out).toContain('… and 10 more (--all shows them)');
    const all = (await replay(log, ['--all'])).out;
    expect([all.includes('more'), all.includes('h39.example:443')]).toEqual([false, true]);
  });

  it('judges at one time when told to', async () => {
    const ended = `${POLICY}  - { name: old, hosts: [gone.example], until: 2026-11-30 }\n`;
    expect((await replay(LOST, [], ended)).code).toBe(0);
    expect((await replay(LOST, ['--at', '2026-12-24'], ended)).code).toBe(1);
    expect((await replay(LOST, ['--at', '2026-11-24T12:00:00Z'], ended)).code).toBe(0);
  });

  it('asks the guard of the daemon configuration about private addresses', async () => {
    const log = written('json', decision({ ...ALLOWED, hostname: 'api.example', dstIp: '10.0.0.9' })).join(
      '',
    );
    const { code, out } = await replay(log);
    expect(code).toBe(1);
    expect(out).toContain('-> DENIED (destination_forbidden) by api');
    const config = fileWith(
      'version: 1\npolicy: ./policy.yaml\nlisteners: [{ name: p, kind: explicit, address: "127.0.0.1:3128" }]\ndestinations: { allow: [10.0.0.0/24] }\n',
      'sallyport.yaml',
    );
    expect((await replay(log, ['-c', config])).code).toBe(0);
  });

  it('takes another port for text, which names none, and says so', async () => {
    const log = written('text', decision({ ...ALLOWED, hostname: 'api.example' })).join('');
    const { code, err } = await replay(log, ['--port', '8443']);
    expect([code, err]).toEqual([1, 'stdin: 1 records name no port: taken for 8443 (--port says another)\n']);
  });

  it('names lines that it cannot read, and reads on', async () => {
    const { code, err } = await replay(`${KEPT}${KEPT.slice(0, 200)}\n${KEPT}`);
    expect([code, err]).toEqual([0, 'stdin:2: not read: no whole JSON object\n']);
  });

  it('fails on a log that holds no decision', async () => {
    const { code, out, err } = await replay('nothing\nof interest\n');
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^sallyport: no decision record in stdin \(/);
  });

  it('fails on a log that is not there, and on a policy that does not load', async () => {
    const missing = await sallyport(['replay', '--policy', fileWith(POLICY), '--from', '/nowhere/log']);
    expect(missing).toEqual({
      code: 1,
      out: '',
      err: 'sallyport: /nowhere/log: does not exist (check the path)\n',
    });
    const broken = await replay(KEPT, [], 'version: 1\n');
    expect([broken.code, broken.out]).toEqual([1, '']);
    expect(broken.err).toContain('sallyport check');
  });

  it.each<[string, string[], RegExp]>([
    ['no policy', ['--from', '-'], /--policy is missing/],
    ['no log', ['--policy', 'x.yaml'], /--from is missing/],
    ['standard input twice', ['--policy', '{policy}', '--from', '-', '-'], /--from - stands twice/],
    ['a port that is none', ['--policy', '{policy}', '--from', '-', '--port', '0'], /--port 0: no port/],
    [
      'a time that is none',
      ['--policy', '{policy}', '--from', '-', '--at', 'noon'],
      /--at noon: .* \(.*or now\)/,
    ],
  ])('%s is the wrong question: exit code 2', async (_, args, why) => {
    const policy = fileWith(POLICY);
    const { code, out, err } = await sallyport([
      'replay',
      ...args.map(arg => arg.replace('{policy}', policy)),
    ]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(why);
  });

  it('lets nothing of a log break a line or move the cursor', async () => {
    const evil = 'x\u001b[2J\nnew.yaml: of 1 flows 1 keep\u202e';
    const log = written(
      'json',
      decision({ ...ALLOWED, hostname: 'gone.example', rule: evil.repeat(100), srcIp: '10.0.0.1' }),
      decision({ hostname: null, dstIp: evil, reason: 'no_hostname' }),
      decision({ hostname: evil }),
      decision({ srcIp: evil }),
    ).join('');
    const { out } = await replay(log);
    expect(out).toMatch(/^[ -~\n…]*$/);
    expect(out.split('\n').filter(line => line.startsWith('new.yaml'))).toHaveLength(1);
    expect(out.split('\n').every(line => line.length < 4_000)).toBe(true);
    const json = (await replay(log, ['--json'])).out;
    expect(json.trimEnd().split('\n')).toHaveLength(1);
    expect(json).toMatch(/^[ -~]*\n$/);
  });
});
