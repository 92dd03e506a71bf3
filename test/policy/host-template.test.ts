import { describe, expect, it } from 'vitest';
import { expandTemplate, templateVars } from '../../src/policy/host-template.ts';

const values = (entries: Record<string, string[]>) => new Map(Object.entries(entries));

describe('a host template', () => {
  it.each([
    ['nothing to fill', 'a.example.com', {}, ['a.example.com']],
    ['a variable', 'logs.{region}.a.com', { region: ['us-east-1'] }, ['logs.us-east-1.a.com']],
    [
      'a variable with two values',
      'logs.{region}.a.com',
      { region: ['us-east-1', 'eu-west-1'] },
      ['logs.us-east-1.a.com', 'logs.eu-west-1.a.com'],
    ],
    [
      'a variable that stands twice: the same value in both places',
      'p-{region}.s3.{region}.a.com',
      { region: ['us-east-1', 'eu-west-1'] },
      ['p-us-east-1.s3.us-east-1.a.com', 'p-eu-west-1.s3.eu-west-1.a.com'],
    ],
    [
      'two variables: each combination',
      '{account}.{region}.a.com',
      { account: ['1', '2'], region: ['r', 's'] },
      ['1.r.a.com', '1.s.a.com', '2.r.a.com', '2.s.a.com'],
    ],
    [
      'the suffix of the region’s partition',
      'sts.{region}.{dns-suffix}',
      { region: ['us-gov-west-1', 'cn-north-1', 'eusc-de-east-1', 'us-iso-east-1'] },
      [
        'sts.us-gov-west-1.amazonaws.com',
        'sts.cn-north-1.amazonaws.com.cn',
        'sts.eusc-de-east-1.amazonaws.eu',
        'sts.us-iso-east-1.c2s.ic.gov',
      ],
    ],
    [
      'the dual-stack suffix, where the partition has one',
      'sts.{region}.api.{dualstack-suffix}',
      { region: ['us-east-1', 'cn-north-1', 'us-iso-east-1'] },
      ['sts.us-east-1.api.aws', 'sts.cn-north-1.api.amazonwebservices.com.cn'],
    ],
    [
      'the suffix of the partition that is said, for a region of no known form',
      'sts.{region}.{dns-suffix}',
      { region: ['xx-new'], partition: ['aws-cn'] },
      ['sts.xx-new.amazonaws.com.cn'],
    ],
    [
      'the suffix of aws, when nothing is said',
      'sts.{region}.{dns-suffix}',
      { region: ['xx-new'] },
      ['sts.xx-new.amazonaws.com'],
    ],
  ])('with %s', (_, template, vars, hosts) => {
    expect(expandTemplate(template, values(vars))).toEqual({ ok: true, hosts });
  });

  it('names the variables without a value, each once', () => {
    expect(expandTemplate('{a}.{region}.{b}.{region}', values({ a: ['x'], b: [] }))).toEqual({
      ok: false,
      missing: ['region', 'b'],
    });
  });

  it('needs the region for the suffixes that follow from it', () => {
    expect(templateVars('{account}.dkr.{dns-suffix}')).toEqual(['account', 'region']);
  });
});
