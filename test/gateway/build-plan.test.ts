import { describe, expect, it } from 'vitest';
import { buildPlan, type PlanRequest } from '../../src/gateway/build-plan.ts';
import { listener, planOf, request } from './support.ts';

describe('buildPlan', () => {
  it.each([
    ['[::]', '::', ['ipv4', 'ipv6'], null],
    ['0.0.0.0', '0.0.0.0', ['ipv4'], null],
    ['an IPv4 address', '10.0.0.1', ['ipv4'], '10.0.0.1'],
    ['an IPv6 address', 'fd00::1', ['ipv6'], 'fd00::1'],
  ])('a listener at %s takes what it can', (_, host, families, address) => {
    const { interceptions } = planOf({ listeners: [listener({ host })] });
    expect(interceptions).toMatchObject([{ families, address }]);
  });

  it('puts ports in order, and names each once', () => {
    const { interceptions } = planOf({
      listeners: [listener({ ports: [8443, 80, 443, 80], interfaces: ['a', 'b', 'a'] })],
    });
    expect(interceptions).toMatchObject([{ ports: [80, 443, 8443], interfaces: ['a', 'b'] }]);
  });

  it('leaves link-local addresses alone, and what is named', () => {
    const { except } = planOf({
      except: ['10.1.2.3', '10.9.9.9/8', 'fd00:1::1/32', '10.1.2.3', '2001:db8::1'],
    });
    expect(except.map(({ family, address, length }) => `${family} ${address}/${length}`)).toEqual([
      'ipv4 169.254.0.0/16',
      'ipv6 fe80::/10',
      'ipv6 fd00:ec2::/32',
      'ipv4 10.1.2.3/32',
      'ipv4 10.0.0.0/8',
      'ipv6 fd00:1::/32',
      'ipv6 2001:db8::1/128',
    ]);
  });

  it.each<[string, Partial<PlanRequest>, RegExp]>([
    ['without a transparent listener', { listeners: [] }, /no transparent listener.*\(add one/],
    [
      'a port that the system chooses',
      { listeners: [listener({ port: 0 })] },
      /listener gw at \[::\]:0: .*\(give it one\)/,
    ],
    [
      'IPv6 loopback, where nothing can be redirected to',
      { listeners: [listener({ host: '::1' })] },
      /\[::1\]:15443: .*\(listen at \[::\]:15443\)/,
    ],
    [
      'two listeners for the same traffic',
      { listeners: [listener(), listener({ name: 'b', port: 15_444, ports: [443] })] },
      /listeners gw and b both take TCP 443 over ipv4 \(/,
    ],
    [
      'two listeners that meet on one interface',
      {
        listeners: [
          listener({ interfaces: ['eth*'] }),
          listener({ name: 'b', host: '0.0.0.0', port: 15_444, interfaces: ['lo0', 'eth1'] }),
        ],
      },
      /listeners gw and b both take TCP 80/,
    ],
    [
      'local traffic by tproxy',
      { listeners: [listener({ intercept: 'tproxy' })], ownUid: 991 },
      /listener gw: .*tproxy \(write intercept: redirect\)/,
    ],
    ['an exception for all of IPv4', { except: ['0.0.0.0/0'] }, /0\.0\.0\.0\/0 leaves nothing/],
    ['an exception for all of IPv6', { except: ['::/0'] }, /::\/0 leaves nothing/],
  ])('refuses %s', (_, differs, problem) => {
    const built = buildPlan(request(differs));
    expect(built.ok ? '' : built.problems.join()).toMatch(problem);
  });

  it.each([
    ['different ports', { ports: [443] }, { ports: [80] }],
    ['different interfaces', { interfaces: ['eth1'] }, { interfaces: ['eth2', 'veth*'] }],
    ['different families', { host: '0.0.0.0' }, { host: 'fd00::1' }],
  ])('takes two listeners for %s', (_, a, b) => {
    const listeners = [listener(a), listener({ name: 'b', port: 15_444, ...b })];
    expect(buildPlan(request({ listeners }))).toMatchObject({ ok: true });
  });
});
