import { describe, expect, it } from 'vitest';
import type { PlanRequest } from '../../src/gateway/build-plan.ts';
import { runChecks } from '../../src/gateway/checks.ts';
import type { Kernel } from '../../src/gateway/kernel.ts';
import { listing } from '../../src/gateway/render.ts';
import { buildRuleset } from '../../src/gateway/ruleset.ts';
import { findUid } from '../../src/gateway/user.ts';
import { fakeKernel, listener, planOf } from './support.ts';

const LIST = 'nft -j list table inet sallyport';
const GOOD = {
  'net/ipv4/ip_forward': '1',
  'net/ipv6/conf/all/forwarding': '1',
  'net/ipv4/conf/all/rp_filter': '0',
};

const listed = (differs: Partial<PlanRequest>) =>
  JSON.stringify({ nftables: [{ metainfo: {} }, ...listing(buildRuleset(planOf(differs)))] });

/** Names of the checks that did not go well, with their status. */
async function amiss(
  differs: Partial<PlanRequest>,
  sysctl: Readonly<Record<string, string>>,
  interfaces: readonly string[] = ['all', 'default', 'lo', 'eth0', 'eth1'],
) {
  const kernel = fakeKernel({ commands: { [LIST]: listed(differs) }, sysctl, interfaces });
  const checks = await runChecks(planOf(differs), kernel);
  for (const { status, fix } of checks) expect(fix === null).toBe(status === 'ok');
  return checks.filter(({ status }) => status !== 'ok').map(({ name, status }) => `${status} ${name}`);
}

describe('runChecks', () => {
  it('finds nothing amiss on a host as it should be', async () => {
    expect(await amiss({}, GOOD)).toEqual([]);
  });

  it.each<[string, string, RegExp, RegExp]>([
    ['is not loaded', 'Error: No such file or directory', /is not loaded/, /--format script/],
    [
      'may not be read',
      'Error: cache initialization failed: Operation not permitted',
      /not permitted/,
      /root/,
    ],
    ['cannot be asked for', 'nft is not in PATH', /nft is not in PATH/, /install nftables/],
  ])('fails when the table %s', async (_, complaint, message, fix) => {
    const [check] = await runChecks(planOf(), fakeKernel({ complaint, sysctl: GOOD }));
    expect(check).toMatchObject({ status: 'fail' });
    expect(check?.message).toMatch(message);
    expect(check?.fix).toMatch(fix);
  });

  it.each(['', '{}', '[]', 'null', '{"nftables":7}', 'no JSON'])('fails on %j from nft', async stdout => {
    const [check] = await runChecks(planOf(), fakeKernel({ commands: { [LIST]: stdout } }));
    expect(check).toMatchObject({ status: 'fail' });
  });

  it('of tproxy fails when ip is not there, or answers nothing of use', async () => {
    const plan = planOf({ listeners: [listener({ intercept: 'tproxy', host: '0.0.0.0' })] });
    const routing = async (kernel: Kernel) =>
      (await runChecks(plan, kernel)).filter(({ name }) => name.startsWith('ip '));
    const missing = await routing(fakeKernel({ complaint: 'ip is not in PATH' }));
    expect(missing.map(({ status, message, fix }) => [status, message, fix])).toEqual([
      ['fail', 'ip is not in PATH', 'install iproute2'],
      ['fail', 'ip is not in PATH', 'install iproute2'],
    ]);
    const commands = {
      'ip -j -4 rule show': '[{"fwmark":"0x1"}]',
      'ip -j -4 route show table 8192': '[null]',
    };
    const other = await routing(fakeKernel({ commands }));
    expect(other.map(({ name, status }) => [name, status])).toEqual([
      ['ip -4 rule', 'fail'],
      ['ip -4 route', 'fail'],
    ]);
  });

  const eth1 = { listeners: [listener({ interfaces: ['eth1'] })] };
  const onLoopback = { listeners: [listener({ host: '127.0.0.1', interfaces: ['eth1'] })] };
  it.each<[string, Partial<PlanRequest>, Record<string, string>, string[]]>([
    ['IPv4 is not forwarded', {}, { 'net/ipv4/ip_forward': '0' }, ['fail net.ipv4.ip_forward']],
    ['IPv6 is not', {}, { 'net/ipv6/conf/all/forwarding': '0' }, ['warn net.ipv6.conf.all.forwarding']],
    [
      'reverse paths are held strictly, everywhere',
      eth1,
      { 'net/ipv4/conf/all/rp_filter': '1' },
      ['warn net.ipv4.conf.*.rp_filter'],
    ],
    [
      'reverse paths are held strictly where clients come in',
      eth1,
      { 'net/ipv4/conf/eth1/rp_filter': '1' },
      ['warn net.ipv4.conf.*.rp_filter'],
    ],
    ['they are elsewhere', eth1, { 'net/ipv4/conf/eth0/rp_filter': '1' }, []],
    [
      'they are loose in all',
      eth1,
      { 'net/ipv4/conf/eth1/rp_filter': '1', 'net/ipv4/conf/all/rp_filter': '2' },
      [],
    ],
    ['a listener is on loopback', onLoopback, {}, ['fail net.ipv4.conf.eth1.route_localnet']],
    ['that is allowed', onLoopback, { 'net/ipv4/conf/eth1/route_localnet': '1' }, []],
    ['that is allowed everywhere', onLoopback, { 'net/ipv4/conf/all/route_localnet': '1' }, []],
    [
      'an interface is not there',
      { listeners: [listener({ interfaces: ['eth9'] })] },
      {},
      ['warn interface eth9'],
    ],
    [
      'no interface begins so',
      { listeners: [listener({ interfaces: ['wg*'] })] },
      {},
      ['warn interface wg*'],
    ],
    ['one does', { listeners: [listener({ interfaces: ['eth*'] })] }, {}, []],
  ])('when %s', async (_, differs, sysctl, expected) => {
    expect(await amiss(differs, { ...GOOD, ...sysctl })).toEqual(expected);
  });

  it('says nothing of IPv6 where there is none', async () => {
    const { 'net/ipv6/conf/all/forwarding': _, ...rest } = GOOD;
    expect(await amiss({}, rest)).toEqual([]);
  });
});

describe('findUid', () => {
  const kernel = fakeKernel({ commands: { 'id -u -- sallyport': '991\n' } });

  it.each([
    ['a number', 1000, 1000],
    ['a number in text', '1000', 1000],
    ['a name', 'sallyport', 991],
    ['a name that nobody has', 'nobody-at-all', null],
  ])('of %s', async (_, user, uid) => {
    expect(await findUid(user, kernel)).toBe(uid);
  });
});
