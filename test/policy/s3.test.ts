import { describe, expect, it } from 'vitest';
import { parsePattern, patternMatches } from '../../src/policy/pattern.ts';
import { readS3Host, type S3Grant, s3Hosts } from '../../src/policy/s3.ts';

const NOTHING: S3Grant = { buckets: [], accessPoints: [], regions: [], allowPathStyle: false };

/** Whether a grant opens a host on a port. */
function opens(grant: Partial<S3Grant>, hostname: string, port = 443): boolean {
  return s3Hosts({ ...NOTHING, ...grant }).some(({ host, port: open }) => {
    const parsed = parsePattern(host);
    if (!parsed.ok) throw new Error(`${host}: ${parsed.fault}`);
    return open === port && patternMatches(parsed.pattern, hostname);
  });
}

/** Each form by the host that botocore's endpoint rule set or the S3 user guide gives for it. */
const BUCKET_HOSTS: readonly [form: string, tail: string, region: string | null, port?: number][] = [
  ['virtual-hosted', 's3.us-west-2.amazonaws.com', 'us-west-2'],
  ['virtual-hosted', 's3.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
  ['virtual-hosted', 's3.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
  ['virtual-hosted', 's3.eusc-de-east-1.amazonaws.eu', 'eusc-de-east-1'],
  ['legacy-global', 's3.amazonaws.com', null],
  ['legacy-global', 's3-external-1.amazonaws.com', null],
  ['legacy-dash', 's3-eu-west-1.amazonaws.com', 'eu-west-1'],
  ['dual-stack', 's3.dualstack.us-west-2.amazonaws.com', 'us-west-2'],
  ['dual-stack', 's3.dualstack.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
  ['fips', 's3-fips.us-east-1.amazonaws.com', 'us-east-1'],
  ['fips-dual-stack', 's3-fips.dualstack.us-gov-east-1.amazonaws.com', 'us-gov-east-1'],
  ['accelerate', 's3-accelerate.amazonaws.com', null],
  ['accelerate-dual-stack', 's3-accelerate.dualstack.amazonaws.com', null],
  ['private-link', 'bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com', 'us-east-1'],
  ['private-link', 'bucket.vpce-1a2b3c4d-5e6f-us-east-1a.s3.us-east-1.vpce.amazonaws.com', 'us-east-1'],
  ['website', 's3-website-us-east-1.amazonaws.com', 'us-east-1', 80],
  ['website', 's3-website.eu-central-1.amazonaws.com', 'eu-central-1', 80],
];

const ACCESS_POINT_HOSTS: readonly [form: string, tail: string, region: string | null][] = [
  ['access-point', 's3-accesspoint.us-west-2.amazonaws.com', 'us-west-2'],
  ['access-point', 's3-accesspoint.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
  ['access-point', 's3-accesspoint.dualstack.us-west-2.amazonaws.com', 'us-west-2'],
  ['access-point', 's3-accesspoint-fips.us-gov-east-1.amazonaws.com', 'us-gov-east-1'],
  ['access-point', 's3-accesspoint-fips.dualstack.us-east-1.amazonaws.com', 'us-east-1'],
  ['private-link', 'accesspoint.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com', 'us-east-1'],
  ['object-lambda', 's3-object-lambda.us-west-2.amazonaws.com', 'us-west-2'],
  ['object-lambda', 's3-object-lambda-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
];

const EXPRESS_HOSTS = [
  's3express-use1-az4.us-east-1.amazonaws.com',
  's3express-use1-az4.dualstack.us-east-1.amazonaws.com',
  's3express-fips-use1-az4.us-east-1.amazonaws.com',
  's3express-fips-use1-az4.dualstack.us-east-1.amazonaws.com',
];

const PATH_STYLE_HOSTS = [
  's3.us-east-1.amazonaws.com',
  's3-us-east-1.amazonaws.com',
  's3.dualstack.us-east-1.amazonaws.com',
  's3-fips.us-east-1.amazonaws.com',
  's3-fips.dualstack.us-east-1.amazonaws.com',
  's3.amazonaws.com',
  's3-external-1.amazonaws.com',
  'bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com',
];

describe.each(BUCKET_HOSTS)('a bucket, %s at %s', (form, tail, region, port = 443) => {
  const regions = [region ?? 'us-east-1'];
  const grant = { buckets: ['app-artifacts'], regions };

  it('is read from its host', () => {
    expect(readS3Host(`app-artifacts.${tail}`)).toMatchObject({
      form,
      bucket: 'app-artifacts',
      accessPoint: null,
      region,
      port,
    });
  });

  it('is opened, on its port only', () => {
    expect(opens(grant, `app-artifacts.${tail}`, port)).toBe(true);
    expect(opens(grant, `app-artifacts.${tail}`, port === 80 ? 443 : 80)).toBe(false);
  });

  it('is opened by a pattern, within one label', () => {
    const family = { buckets: ['team-*-logs'], regions };
    expect(opens(family, `team-a-logs.${tail}`, port)).toBe(true);
    for (const other of ['team--logs', 'team-a-logs2', 'xteam-a-logs', 'team-a.b-logs', 'team-logs'])
      expect(opens(family, `${other}.${tail}`, port), other).toBe(false);
  });

  it.each([
    'other',
    'app-artifacts2',
    'evil-app-artifacts',
    'app-artifacts-evil',
    'evil.app-artifacts',
    'app-artifacts.evil',
    'app-artifact',
    'app_artifacts',
  ])('opens nothing of %s', other => {
    expect(opens(grant, `${other}.${tail}`, port)).toBe(false);
  });

  it('opens no host without the bucket, and none that goes on', () => {
    expect(opens(grant, tail, port)).toBe(false);
    expect(opens(grant, `app-artifacts.${tail}.evil.com`, port)).toBe(false);
    expect(opens(grant, `app-artifacts.${tail.replace('s3', 's3x')}`, port)).toBe(false);
  });

  it('opens nothing in a region of another partition', () => {
    const elsewhere = regions[0]?.startsWith('cn-') ? 'us-east-1' : 'cn-north-1';
    expect(opens({ ...grant, regions: [elsewhere] }, `app-artifacts.${tail}`, port)).toBe(false);
  });
});

describe.each(ACCESS_POINT_HOSTS)('an access point, %s at %s', (form, tail, region) => {
  const grant = { accessPoints: ['finance-123456789012'], regions: [region ?? ''] };

  it('is read from its host', () => {
    expect(readS3Host(`finance-123456789012.${tail}`)).toMatchObject({
      form,
      bucket: null,
      accessPoint: 'finance-123456789012',
      region,
      port: 443,
    });
  });

  it('is opened', () => {
    expect(opens(grant, `finance-123456789012.${tail}`)).toBe(true);
    expect(opens({ ...grant, accessPoints: ['fin*-123456789012'] }, `finance-123456789012.${tail}`)).toBe(
      true,
    );
  });

  it.each([
    'finance-210987654321',
    'evil-finance-123456789012',
    'finance-123456789012-210987654321',
    'finance2-123456789012',
    'finance',
  ])('opens nothing of %s', other => {
    expect(opens(grant, `${other}.${tail}`)).toBe(false);
  });

  it('is not opened by a bucket of that name', () => {
    expect(
      opens(
        { ...grant, accessPoints: [], buckets: ['finance-123456789012'] },
        `finance-123456789012.${tail}`,
      ),
    ).toBe(false);
  });
});

describe.each(EXPRESS_HOSTS)('a directory bucket at %s', tail => {
  it('is read from its host', () => {
    expect(readS3Host(`base--use1-az4--x-s3.${tail}`)).toMatchObject({
      form: 'express',
      bucket: 'base--use1-az4--x-s3',
      region: 'us-east-1',
    });
    expect(readS3Host(`ap--use1-az4--xa-s3.${tail}`)).toMatchObject({
      bucket: null,
      accessPoint: 'ap--use1-az4--xa-s3',
    });
  });

  it('is opened by its name, in its zone', () => {
    const grant = { buckets: ['base--use1-az4--x-s3'], regions: ['us-east-1'] };
    expect(opens(grant, `base--use1-az4--x-s3.${tail}`)).toBe(true);
    expect(opens(grant, `evil--use1-az4--x-s3.${tail}`)).toBe(false);
    expect(opens(grant, `base--use1-az4--x-s3.${tail.replace('az4', 'az5')}`)).toBe(false);
    expect(opens({ ...grant, buckets: ['base-*'] }, `base-x--use1-az4--x-s3.${tail}`)).toBe(false);
    expect(
      opens({ accessPoints: ['ap--use1-az4--xa-s3'], regions: ['us-east-1'] }, `ap--use1-az4--xa-s3.${tail}`),
    ).toBe(true);
  });
});

describe('an alias of an access point', () => {
  const alias = 'my-ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias';

  it.each([
    's3.us-east-1.amazonaws.com',
    's3.dualstack.us-east-1.amazonaws.com',
    's3-fips.us-east-1.amazonaws.com',
    's3-fips.dualstack.us-east-1.amazonaws.com',
    'bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com',
  ])('stands where a bucket would, at %s', tail => {
    expect(readS3Host(`${alias}.${tail}`)).toMatchObject({ bucket: null, accessPoint: alias });
    for (const key of ['accessPoints', 'buckets'] as const)
      expect(opens({ [key]: [alias], regions: ['us-east-1'] }, `${alias}.${tail}`)).toBe(true);
  });

  it('of several regions has one host', () => {
    const host = 'mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com';
    expect(readS3Host(host)).toMatchObject({
      form: 'multi-region',
      accessPoint: 'mfzwi23gnjvgw.mrap',
      region: null,
    });
    const grant = { accessPoints: ['mfzwi23gnjvgw.mrap'], regions: ['us-east-1', 'eu-west-1'] };
    expect(opens(grant, host)).toBe(true);
    expect(opens(grant, `evil.${host.slice(host.indexOf('.') + 1)}`)).toBe(false);
  });
});

describe.each(PATH_STYLE_HOSTS)('a path-style host, %s', host => {
  it('shows no bucket', () => {
    expect(readS3Host(host)).toMatchObject({ form: 'path-style', bucket: null, accessPoint: null });
  });

  it('is opened only when asked for', () => {
    const grant = { buckets: ['app'], accessPoints: ['ap-123456789012'], regions: ['us-east-1'] };
    expect(opens(grant, host)).toBe(false);
    expect(opens({ ...grant, allowPathStyle: true }, host)).toBe(true);
  });
});

describe('a host that is not S3’s', () => {
  it.each([
    's3.us-east-1.amazonaws.com.evil.com',
    'bucket.s3.us-east-1.amazonaws.com.cn',
    'bucket.s3.cn-north-1.amazonaws.com',
    'bucket.s3.nowhere.amazonaws.com',
    'bucket.s3x.us-east-1.amazonaws.com',
    'buckets3.us-east-1.amazonaws.com',
    '123456789012.s3-control.us-east-1.amazonaws.com',
    's3-website-us-east-1.amazonaws.com',
    'finance.s3-accesspoint.us-east-1.amazonaws.com',
    's3express-control.us-east-1.amazonaws.com',
    'sqs.us-east-1.amazonaws.com',
    's3',
  ])('%s', host => {
    expect(readS3Host(host)).toBeNull();
  });
});

it('a bucket whose name holds a whole S3 host is read as that bucket', () => {
  expect(readS3Host('app.s3.us-east-1.amazonaws.com.s3.us-west-2.amazonaws.com')).toMatchObject({
    bucket: 'app.s3.us-east-1.amazonaws.com',
    region: 'us-west-2',
  });
});

it('every host that a grant opens is read as what opened it', () => {
  const grant: S3Grant = {
    buckets: ['app', 'team-*', 'base--use1-az4--x-s3'],
    accessPoints: ['finance-123456789012', 'abc.mrap', 'x-s3alias', 'y--use1-az4--xa-s3'],
    regions: ['us-east-1', 'cn-north-1', 'us-gov-west-1'],
    allowPathStyle: true,
  };
  const hosts = s3Hosts(grant);
  for (const { host, port, form } of hosts) {
    const reading = readS3Host(host);
    expect(reading, host).toMatchObject({ port, form });
    const name = reading?.bucket ?? reading?.accessPoint;
    if (form === 'path-style') expect(name, host).toBeNull();
    else expect([...grant.buckets, ...grant.accessPoints], host).toContain(name);
  }
  expect(new Set(hosts.map(({ host }) => host)).size).toBe(hosts.length);
});
