import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { written } from '../flow-log/support.ts';
import { decision } from '../observe/support.ts';
import { fakeDaemon, fileWith, sallyport } from './support.ts';

const SUGGESTED = join(import.meta.dirname, 'suggested');
const logs = readdirSync(SUGGESTED).filter(name => name.endsWith('.txt'));

describe('suggest', () => {
  it.each(logs)('makes of suggested/%s the policy beside it, to the letter', async name => {
    const log = join(SUGGESTED, name);
    const args = /^# sallyport suggest(.*)$/m.exec(readFileSync(log, 'utf8'))?.[1]?.trim();
    const { code, out, err } = await sallyport(['suggest', '--from', log, ...(args ? args.split(' ') : [])]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(readFileSync(log.replace(/\.txt$/, '.yaml'), 'utf8'));
    expect(await sallyport(['check', fileWith(out)])).toMatchObject({ code: 0 });
  });

  it('prints JSON when asked for it', async () => {
    const { code, out, err } = await sallyport([
      'suggest',
      '--from',
      join(SUGGESTED, 'by-source.txt'),
      '--json',
    ]);
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject({
      flows: 15,
      mode: 'observe',
      rules: [
        { name: 'example.com', hosts: ['api.example.com'], seen: { flows: 6, sources: 6 } },
        {},
        {},
        {},
      ],
    });
  });

  it('adds to an existing policy what that does not allow, under names of its own', async () => {
    const existing = fileWith(
      'version: 1\nmode: enforce\nrules:\n  - { name: example.org, hosts: [mail.example.org] }\n  - { name: no, action: deny, hosts: [cdn.example.net] }\n',
    );
    const log = join(SUGGESTED, 'by-source.txt');
    const { code, out } = await sallyport(['suggest', '--from', log, '--existing', existing]);
    expect(code).toBe(0);
    const added = parse(out);
    expect([added.mode, added.rules.map(({ name }: { name: string }) => name)]).toEqual([
      undefined,
      ['example.com', 'example.org-2', 'example.org-587'],
    ]);
    expect(out).toContain('cdn.example.net:443 rule_denied by no, 6 flows');
    expect(
      (await sallyport(['suggest', '--from', log, '--existing', existing, '--mode', 'observe'])).out,
    ).toContain('\nmode: observe\n');
  });

  it('asks the daemon for its sites without a log', async () => {
    const { admin } = await fakeDaemon();
    const { code, out, err } = await sallyport(['suggest', '--admin', admin]);
    expect([code, err]).toEqual([0, '']);
    expect(parse(out).rules).toEqual([{ name: 'a.example', hosts: ['a.example'] }]);
    expect(out).toContain(
      '# 6 flows from 10.12.4.21, 10.9.9.9, 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z',
    );
    expect(out).toContain('these need allowPrivate');
  });

  it('says which rules saw Encrypted Client Hello, and opens nothing for it', async () => {
    const log = written(
      'json',
      decision({ hostname: 'a.example', ech: true }),
      decision({ hostname: 'a.example' }),
    );
    const { out } = await sallyport(['suggest', '--from', '-'], {}, [log.join('')]);
    expect(out).toContain('# 1 flow with Encrypted Client Hello, which only ech: outer lets through\n');
    expect(parse(out).rules).toEqual([{ name: 'a.example', hosts: ['a.example'] }]);
  });

  it('lets nothing of a log into the policy that is no hostname', async () => {
    const evil = 'x\n- name: all\n  hosts: ["**.com"]\u001b[2J\u202e # ';
    const log = written(
      'json',
      decision({ hostname: evil }),
      decision({ hostname: 'a.example', srcIp: evil }),
      decision({ hostname: 'b.example', state: 'DENIED', reason: 'rule_denied', rule: evil.repeat(99) }),
      decision({ hostname: null, dstIp: evil }),
      decision({ hostname: 'c.example', dstIp: evil, rule: evil }),
      decision({ hostname: '*.example' }),
      decision({ hostname: 'x'.repeat(5_000) }),
    ).join('');
    const { out } = await sallyport(['suggest', '--from', '-'], {}, [log]);
    expect(out).toMatch(/^[ -~\n]*$/);
    expect(out.split('\n').every(line => line.length < 2_000)).toBe(true);
    expect(parse(out)).toEqual({
      version: 1,
      mode: 'observe',
      rules: [{ name: 'c.example', hosts: ['c.example'] }],
    });
    const json = (await sallyport(['suggest', '--from', '-', '--json'], {}, [log])).out;
    expect(json).toMatch(/^[ -~]*\n$/);
  });

  it.each<[string, string[], RegExp]>([
    ['a mode that is none', ['--mode', 'watch'], /--mode watch: no mode \(observe or enforce\)/],
    ['one sibling', ['--min-siblings', '1'], /--min-siblings 1: no number from 2 \(--exact/],
    ['a length that is none', ['--by-source', '4'], /--by-source 4: no length of an IPv4 block from 8 to 32/],
    ['a port that is none', ['--from', '-', '--port', 'x'], /--port x: no port/],
  ])('%s is the wrong question: exit code 2', async (_, args, why) => {
    const { code, out, err } = await sallyport(['suggest', ...args]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(why);
  });

  it('fails on a log that holds no decision, and on a policy that does not load', async () => {
    const empty = await sallyport(['suggest', '--from', '-'], {}, ['nothing\n']);
    expect([empty.code, empty.out]).toEqual([1, '']);
    const broken = await sallyport(['suggest', '--from', '-', '--existing', fileWith('version: 1\n')], {}, [
      'nothing\n',
    ]);
    expect([broken.code, broken.out]).toEqual([1, '']);
    expect(broken.err).toContain('sallyport check');
  });
});
