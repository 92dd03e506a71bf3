import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fileWith, sallyport } from './support.ts';

const LISTENER = '{ name: gw, kind: transparent, address: "[::]:15443", intercept: redirect }';
const config = (rest = '', listeners = LISTENER) =>
  fileWith(`version: 1\nlisteners: [${listeners}]\n${rest}`, 'sallyport.yaml');
const golden = (name: string) =>
  readFileSync(new URL(`../gateway/rulesets/${name}`, import.meta.url), 'utf8');

describe('netfilter', () => {
  it('prints the ruleset of the configuration', async () => {
    const file = config();
    const { code, out, err } = await sallyport(['netfilter', '-c', file]);
    expect([code, err]).toEqual([0, '']);
    const [comment, ...rest] = out.split('\n');
    expect(comment).toMatch(/^# What sallyport \S+ needs for ".*sallyport\.yaml"\. /);
    expect(rest.join('\n')).toBe(golden('defaults.nft'));
  });

  it('takes interfaces, the user and strictness from options', async () => {
    const options = ['--interface', 'eth1,veth*', '--local', '--user', '991', '--strict'];
    const { out } = await sallyport(['netfilter', '-c', config(), ...options]);
    expect(out).toContain('iifname "eth1" jump to-gw');
    expect(out).toContain('iifname "veth*" jump past-gw');
    expect(out).toContain('meta skuid 991 accept');
    expect(out).toContain('jump strict');
  });

  it('takes them from the configuration', async () => {
    const file = config('netfilter: { strict: true, local: true, user: 991, except: [10.0.0.0/8] }\n');
    const { out } = await sallyport(['netfilter', '-c', file]);
    for (const part of ['meta skuid 991 accept', 'jump strict', 'ip daddr 10.0.0.0/8 accept']) {
      expect(out).toContain(part);
    }
  });

  it('knows a user by name, and warns of root', async () => {
    const { code, out, err } = await sallyport(['netfilter', '-c', config(), '--local', '--user', 'root']);
    expect(code).toBe(0);
    expect(out).toContain('meta skuid 0 accept');
    expect(err).toMatch(/warning: whatever root sends will go past the filter/);
  });

  it('prints a script', async () => {
    const { out } = await sallyport(['netfilter', '-c', config(), '--format', 'script']);
    expect(out).toMatch(/^#!\/bin\/sh\nset -eu\nnft -f - <<'RULES'\n# What[\s\S]*\nRULES\n$/);
  });

  it('prints what libnftables reads as JSON', async () => {
    const { out } = await sallyport(['netfilter', '-c', config(), '--json']);
    const { nftables } = JSON.parse(out);
    expect(nftables.slice(0, 3).map((object: object) => Object.keys(object)[0])).toEqual([
      'add',
      'delete',
      'add',
    ]);
  });

  it.each([
    ['nft', [], 'add table inet sallyport\ndelete table inet sallyport\n'],
    ['a script', ['--format', 'script'], golden('remove.sh')],
    [
      'JSON',
      ['--json'],
      '{"nftables":[{"add":{"table":{"family":"inet","name":"sallyport"}}},{"delete":{"table":{"family":"inet","name":"sallyport"}}}]}\n',
    ],
  ])('prints what removes it as %s, whatever the configuration', async (_, options, expected) => {
    const run = await sallyport(['netfilter', '-c', '/nowhere.yaml', '--remove', ...options]);
    expect(run).toEqual({ code: 0, out: expected, err: '' });
  });

  it('lets no file name end the comment that holds it', async () => {
    const file = fileWith(`version: 1\nlisteners: [${LISTENER}]\n`, 'a"\nflush ruleset\n.yaml');
    const { out } = await sallyport(['netfilter', '-c', file]);
    expect(out).not.toMatch(/^flush/m);
  });

  it.each<[string, string[], number, RegExp]>([
    ['an unknown format', ['--format', 'iptables'], 2, /no such format \(nft or script\)/],
    ['two formats', ['--format', 'nft', '--json'], 2, /--json and --format/],
    ['two questions', ['--check', '--remove'], 2, /--check and --remove/],
    [
      'an interface that is none',
      ['--interface', 'eth0;id'],
      2,
      /--interface: "eth0;id" is no interface name/,
    ],
    ['an empty interface', ['--interface', 'eth0,'], 2, /--interface: "" is no interface name/],
    ['local traffic without a user', ['--local'], 2, /--local needs --user/],
    ['a user who is not there', ['--local', '--user', 'no body'], 1, /there is no user "no body"/],
  ])('refuses %s', async (_, options, code, why) => {
    const run = await sallyport(['netfilter', '-c', config(), ...options]);
    expect(run).toMatchObject({ code, out: '' });
    expect(run.err).toMatch(why);
  });

  it('refuses a configuration without a transparent listener', async () => {
    const file = config('', '{ name: p, kind: explicit, address: "127.0.0.1:3128" }');
    const run = await sallyport(['netfilter', '-c', file]);
    expect(run).toMatchObject({ code: 1, out: '' });
    expect(run.err).toMatch(/sallyport\.yaml: no transparent listener, .*\(add one with kind: transparent\)/);
  });

  it('refuses a broken configuration', async () => {
    const run = await sallyport(['netfilter', '-c', config('netfilter: { strict: maybe }\n')]);
    expect(run).toMatchObject({ code: 1, out: '' });
    expect(run.err).toMatch(/sallyport\.yaml:3:22: netfilter\.strict: expected true or false/);
  });
});
