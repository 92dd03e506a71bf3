import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  gatewayShell,
  loadNetfilter,
  NO_RULES,
  netfilter,
  residue,
  writeConfig,
} from '../support/lab-netfilter.ts';
import { describeInLab } from '../support/lab-suite.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-netfilter-'));
afterAll(() => rmSync(directory, { recursive: true }));

const EXCEPT = ['10.0.0.0/8', '172.16.0.1', 'fd00:1::/32', '2001:db8::1'];
const VARIANTS: readonly [string, string, readonly string[]][] = [
  ['the defaults', writeConfigIn('a', {}), []],
  ['IPv4 alone', writeConfigIn('b', { address: '0.0.0.0:15443', ports: [443] }), []],
  ['one address', writeConfigIn('c', { address: '192.0.2.1:15443' }), []],
  [
    'everything at once',
    writeConfigIn('d', { interfaces: ['lan', 'veth*'], ports: [8443, 443, 80] }, { except: EXCEPT }),
    ['--strict', '--local', '--user', '65534'],
  ],
];

function writeConfigIn(name: string, ...keys: [object, object?]): string {
  const [listener, netfilterKeys = {}] = keys;
  return writeConfig(mkdtempSync(join(directory, name)), { ...listener }, { ...netfilterKeys });
}

/** The same by tproxy, which needs policy routing as well: only the script loads all of it. */
const TPROXY_VARIANTS: readonly [string, string, readonly string[]][] = [
  ['tproxy', writeConfigIn('t', { intercept: 'tproxy' }), []],
  [
    'tproxy of IPv6 alone, strict',
    writeConfigIn('u', { intercept: 'tproxy', address: '[2001:db8::1]:15443' }),
    ['--strict'],
  ],
];

describeInLab(
  'the script of sallyport netfilter',
  suite => {
    describe.each(TPROXY_VARIANTS)('with %s', (_, config, options) => {
      const script = [...options, '--format', 'script'];

      it('loads, twice with the same result, and is removed without residue, also when it is not there', async () => {
        const { lab } = suite;
        const before = await residue(lab);
        await loadNetfilter(lab, config, script, 'sh');
        const once = await residue(lab);
        expect(once).toMatch(/fwmark 0x2000\/0x2000 lookup 8192/);
        await loadNetfilter(lab, config, script, 'sh');
        expect(await residue(lab)).toBe(once);
        const { code, stdout } = await netfilter(lab, config, '--check', ...options);
        expect(code, stdout).toBe(0);
        for (let i = 0; i < 2; i++) {
          await loadNetfilter(lab, config, ['--remove', '--format', 'script'], 'sh');
          expect(await residue(lab)).toBe(before);
        }
      });

      it('is not there when nft alone has read the rules, says the check', async () => {
        const { lab } = suite;
        await loadNetfilter(lab, config, options);
        const { code, stdout } = await netfilter(lab, config, '--check', ...options);
        await loadNetfilter(lab, config, ['--remove', '--format', 'script'], 'sh');
        expect(code).toBe(1);
        expect(stdout).toMatch(/^ok {3}table inet sallyport: [\s\S]*^fail ip -6 rule: .*--format script/m);
      });
    });
  },
  NO_RULES,
);

describeInLab(
  'the ruleset of sallyport netfilter',
  suite => {
    afterEach(() => gatewayShell(suite.lab, 'nft flush ruleset'));

    describe.each(VARIANTS)('%s', (_, config, options) => {
      it('is not there before it is loaded, says the check', async () => {
        const { code, stdout } = await netfilter(suite.lab, config, '--check', ...options);
        expect(code).toBe(1);
        expect(stdout).toMatch(/^fail table inet sallyport: is not loaded \(.+\)$/m);
      });

      it('loads, and loading it twice changes nothing', async () => {
        const { lab } = suite;
        await loadNetfilter(lab, config, options);
        const once = await gatewayShell(lab, 'nft list ruleset');
        await loadNetfilter(lab, config, options);
        expect(await gatewayShell(lab, 'nft list ruleset')).toBe(once);
        expect(once).toContain('table inet sallyport');
      });

      it('is there once it is loaded, says the check', async () => {
        await loadNetfilter(suite.lab, config, options);
        const { code, stdout, stderr } = await netfilter(suite.lab, config, '--check', ...options);
        expect(stdout).toMatch(/^ok {3}table inet sallyport: loaded/);
        expect([code, stderr]).toEqual([0, '']);
      });

      it('is the same as JSON', async () => {
        await loadNetfilter(suite.lab, config, [...options, '--json'], 'nft -j -f');
        const { code, stdout } = await netfilter(suite.lab, config, '--check', ...options);
        expect(code, stdout).toBe(0);
      });

      it.each([
        ['nft -f', []],
        ['sh', ['--format', 'script']],
        ['nft -j -f', ['--json']],
      ] as const)('is removed by %s without residue, also when it is not there', async (loader, format) => {
        const { lab } = suite;
        const before = await residue(lab);
        await loadNetfilter(lab, config, [...options, ...format], loader);
        expect(await residue(lab)).not.toBe(before);
        await loadNetfilter(lab, config, ['--remove', ...format], loader);
        expect(await residue(lab)).toBe(before);
        await loadNetfilter(lab, config, ['--remove', ...format], loader);
        expect(await residue(lab)).toBe(before);
      });
    });

    it('leaves other tables as they are', async () => {
      const { lab } = suite;
      const [, config] = VARIANTS[0] ?? ['', ''];
      await gatewayShell(lab, "nft add table inet other '{ chain c { tcp dport 1 drop; }; }'");
      const before = await gatewayShell(lab, 'nft list table inet other');
      await loadNetfilter(lab, config);
      expect(await gatewayShell(lab, 'nft list table inet other')).toBe(before);
      await loadNetfilter(lab, config, ['--remove']);
      expect(await gatewayShell(lab, 'nft list table inet other')).toBe(before);
    });

    it.each([
      ['a rule is gone', 'nft flush chain inet sallyport past-gw', /chain past-gw, rule 1 \(QUIC/],
      ['a rule was added', 'nft add rule inet sallyport forward tcp dport 1 drop', /forward has more rules/],
      ['a rule was put first', 'nft insert rule inet sallyport to-gw accept', /chain to-gw, rule 1/],
      ['a chain was added', 'nft add chain inet sallyport mine', /there is a chain mine/],
      [
        'a chain drops by default',
        "nft add chain inet sallyport forward '{ policy drop; }'",
        /forward is at another hook, or has another policy/,
      ],
      ['it is of other options', null, /chain strict is missing/],
    ])('is not the one that should be when %s, says the check', async (_, change, why) => {
      const { lab } = suite;
      const [, config] = VARIANTS[0] ?? ['', ''];
      await loadNetfilter(lab, config);
      if (change !== null) await gatewayShell(lab, change);
      const options = change === null ? ['--strict'] : [];
      const { code, stdout } = await netfilter(lab, config, '--check', ...options);
      expect(code).toBe(1);
      expect(stdout).toMatch(why);
    });

    it('names the settings of the kernel that are amiss, with the fix', async () => {
      const { lab } = suite;
      const config = writeConfigIn('e', { address: '127.0.0.1:15443', interfaces: ['lan', 'nosuch0'] });
      await loadNetfilter(lab, config);
      await gatewayShell(
        lab,
        'sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.lan.rp_filter=1 net.ipv4.conf.all.rp_filter=0',
      );
      const { code, stdout } = await netfilter(lab, config, '--check', '--json');
      await gatewayShell(lab, 'sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.lan.rp_filter=0');
      expect(code).toBe(1);
      const { ok, checks } = JSON.parse(stdout);
      expect(ok).toBe(false);
      const byName = (name: string) => checks.find((check: { name: string }) => check.name === name);
      expect(byName('table inet sallyport')).toMatchObject({ status: 'ok', fix: null });
      expect(byName('net.ipv4.ip_forward')).toMatchObject({
        status: 'fail',
        fix: 'sysctl -w net.ipv4.ip_forward=1',
      });
      expect(byName('interface nosuch0')).toMatchObject({ status: 'warn' });
      expect(byName('net.ipv4.conf.*.rp_filter')).toMatchObject({ status: 'warn' });
      expect(byName('net.ipv4.conf.lan.route_localnet')).toMatchObject({
        status: 'fail',
        fix: expect.stringContaining('sysctl -w net.ipv4.conf.lan.route_localnet=1'),
      });
    });
  },
  NO_RULES,
);
