import { describe, expect, it } from 'vitest';
import type { Rule } from '../../src/policy/rules.ts';
import { s3Hosts } from '../../src/policy/s3.ts';
import { s3EndpointPolicy } from '../../src/policy/s3-endpoint-policy.ts';
import { rule } from './reference.ts';

const NOW_MS = Date.parse('2026-11-21T00:00:00Z');

function ofGrant(
  name: string,
  grant: Partial<Parameters<typeof s3Hosts>[0]>,
  rest: Partial<Rule> = {},
): Rule {
  const hosts = s3Hosts({
    buckets: [],
    accessPoints: [],
    regions: ['us-east-1'],
    allowPathStyle: false,
    ...grant,
  });
  return rule(
    name,
    hosts.map(({ host }) => host),
    rest,
  );
}

/** Resources by statement, and the notes. */
function said(...rules: Rule[]) {
  const { document, notes } = s3EndpointPolicy(rules, { nowMs: NOW_MS });
  const resources = Object.fromEntries(
    document.Statement.map(({ Sid, Effect, Action, Resource }) => [`${Sid} ${Effect} ${Action}`, Resource]),
  );
  return [resources, notes];
}

describe('an endpoint policy', () => {
  it.each<[string, Rule, Record<string, string[]>]>([
    [
      'opens a bucket once, however many hosts show it',
      ofGrant('a', { buckets: ['app'], regions: ['us-east-1', 'eu-west-1'] }),
      { 'ApprovedBuckets Allow s3:*': ['arn:aws:s3:::app', 'arn:aws:s3:::app/*'] },
    ],
    [
      'writes a star as one character or more',
      ofGrant('a', { buckets: ['team-*'] }),
      { 'ApprovedBuckets Allow s3:*': ['arn:aws:s3:::team-?*', 'arn:aws:s3:::team-?*/*'] },
    ],
    [
      'names the partition',
      ofGrant('a', { buckets: ['app'], regions: ['cn-north-1'] }),
      { 'ApprovedBuckets Allow s3:*': ['arn:aws-cn:s3:::app', 'arn:aws-cn:s3:::app/*'] },
    ],
    [
      'names access points by their ARNs',
      ofGrant('a', { accessPoints: ['finance-123456789012'] }),
      {
        'ApprovedBuckets Allow s3:*': [
          'arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/finance',
          'arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/finance/object/*',
          'arn:aws:s3:us-east-1:123456789012:accesspoint/finance',
          'arn:aws:s3:us-east-1:123456789012:accesspoint/finance/object/*',
        ],
      },
    ],
    [
      'takes hosts that are written out',
      rule('a', ['app.s3.us-east-1.amazonaws.com', 'api.example.com']),
      { 'ApprovedBuckets Allow s3:*': ['arn:aws:s3:::app', 'arn:aws:s3:::app/*'] },
    ],
    [
      'opens what presets hold for reading',
      rule('a', ['prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com'], {
        hostPositions: [{ line: 1, col: 1, origin: { path: 'presets[0]', preset: 'ecr' } }],
      }),
      { 'ReadPresetBuckets Allow s3:GetObject': ['arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*'] },
    ],
    [
      'denies what a rule denies',
      ofGrant('a', { buckets: ['secret'] }, { action: 'deny' }),
      { 'DeniedBuckets Deny s3:*': ['arn:aws:s3:::secret', 'arn:aws:s3:::secret/*'] },
    ],
    ['leaves out a rule that has ended', ofGrant('a', { buckets: ['app'] }, { untilMs: NOW_MS }), {}],
  ])('%s', (_, given, expected) => {
    expect(said(given)).toEqual([expected, []]);
  });

  it.each([
    [
      'path-style hosts',
      rule('a', ['s3.us-east-1.amazonaws.com']),
      'rule a: path-style hosts open every bucket and are left out: name buckets instead',
    ],
    [
      'every bucket',
      rule('a', ['*.s3.us-east-1.amazonaws.com']),
      'rule a: every bucket (*) is left out: name buckets instead',
    ],
    [
      'aliases',
      rule('a', ['x-s3alias.s3.us-east-1.amazonaws.com']),
      'rule a: the alias x-s3alias is left out: an endpoint policy wants the ARN of its access point',
    ],
    [
      'directory buckets',
      ofGrant('a', { buckets: ['b--use1-az4--x-s3'] }),
      'rule a: directory buckets have a gateway endpoint of their own',
    ],
  ])('leaves out %s, and says so once', (_, given, note) => {
    expect(said(given)).toEqual([{}, [note]]);
  });

  it('says where a star opens more than it does here', () => {
    expect(said(ofGrant('a', { buckets: ['team-*-logs'] }))).toEqual([
      { 'ApprovedBuckets Allow s3:*': ['arn:aws:s3:::team-?*-logs', 'arn:aws:s3:::team-?*-logs/*'] },
      [
        "rule a: team-*-logs opens more there: objects in buckets named team-…, if their keys hold -logs (IAM's * is also /; name the buckets to be exact)",
      ],
    ]);
  });

  it('keeps the layers of ECR when asked to', () => {
    const { document } = s3EndpointPolicy([], { nowMs: NOW_MS, layerRegions: ['us-east-1', 'cn-north-1'] });
    expect(document.Statement.map(({ Resource }) => Resource)).toEqual([
      [
        'arn:aws-cn:s3:::prod-cn-north-1-starport-layer-bucket/*',
        'arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*',
      ],
    ]);
  });
});
