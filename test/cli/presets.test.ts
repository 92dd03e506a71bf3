import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileWith, sallyport } from './support.ts';

const OWN =
  'version: 1\ntitle: Ours\nchecked: 2026-11-21\nsources: [wiki]\nhosts: ["api.{stage}.corp.example"]\n';

function policyWithPreset(): string {
  const file = fileWith('version: 1\nvars: { stage: test }\nrules: [{ name: a, presets: [own] }]\n');
  mkdirSync(join(dirname(file), 'presets.d'));
  writeFileSync(join(dirname(file), 'presets.d', 'own.yaml'), OWN);
  return file;
}

describe('presets', () => {
  it('lists them by name', async () => {
    const { code, out, err } = await sallyport(['presets']);
    expect([code, err]).toEqual([0, '']);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^PRESET +CHECKED +WHAT FOR$/);
    expect(lines.slice(1)).toEqual(lines.slice(1).sort());
    expect(out).toMatch(/\ndocker-hub +2026-11-21 {2}Docker Hub, to pull and push\n/);
  });

  it('shows one, for given values', async () => {
    const args = ['presets', 'identity-center', '--var', 'region=us-east-1,cn-north-1'];
    const { code, out, err } = await sallyport(args, { AWS_REGION: 'eu-west-1' });
    expect([code, err]).toEqual([0, '']);
    expect(out.split('\n').filter(line => line.startsWith('    '))).toEqual([
      '    portal.sso.us-east-1.amazonaws.com',
      '    portal.sso.cn-north-1.amazonaws.com.cn',
      '    oidc.us-east-1.amazonaws.com',
      '    oidc.cn-north-1.amazonaws.com.cn',
    ]);
  });

  it('takes the region from the environment', async () => {
    const { out } = await sallyport(['presets', 'xray'], { AWS_DEFAULT_REGION: 'eu-west-1' });
    expect(out).toContain('    xray.eu-west-1.amazonaws.com\n');
  });

  it('shows templates where there is no value, and says so', async () => {
    const { code, out, err } = await sallyport(['presets', 'ecr']);
    expect([code, err]).toEqual([
      0,
      'sallyport: no value for region and account: these are templates (--var region=… account=…)\n',
    ]);
    expect(out).toContain('    {account}.dkr.ecr.{region}.{dns-suffix}\n');
  });

  it('prints JSON when asked for it', async () => {
    const list = await sallyport(['presets', '--json']);
    expect(JSON.parse(list.out)[0]).toMatchObject({ name: 'bedrock', checked: '2026-11-21' });
    const one = await sallyport(['presets', 'ocsp-crl', '--json']);
    expect(JSON.parse(one.out)).toMatchObject({ name: 'ocsp-crl', ports: [80], vars: [] });
    const open = await sallyport(['presets', 'ecr', '--json']);
    expect(JSON.parse(open.out)).toMatchObject({ vars: ['region', 'account'], hosts: null });
  });

  it('knows the presets and variables of a policy', async () => {
    const { code, out } = await sallyport(['presets', 'own', '--policy', policyWithPreset()]);
    expect([code, out]).toEqual([
      0,
      'own: Ours\n  checked 2026-11-21 against wiki\n  ports 443\n    api.test.corp.example\n',
    ]);
  });

  it.each([
    ['a preset that is none', ['presets', 'ecs'], /presets ecs: no such preset \(did you mean/],
    ['a value without a name', ['presets', 'ecr', '--var', 'us-east-1'], /--var us-east-1: write NAME=VALUE/],
  ])('%s is the wrong question: exit code 2', async (_, args, why) => {
    const { code, out, err } = await sallyport(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(why);
  });
});

describe('s3-endpoint-policy', () => {
  const policyOf = (rules: string) =>
    fileWith(`version: 1\nvars: { region: us-east-1, account: "123456789012" }\nrules:\n${rules}`);
  const BUCKET = '  - { name: a, s3: { buckets: [app] } }\n';

  it('prints a document, and what it leaves out', async () => {
    const file = policyOf(
      `${BUCKET}  - { name: b, presets: [ecr] }\n  - { name: c, hosts: [s3.us-east-1.amazonaws.com] }\n`,
    );
    const { code, out, err } = await sallyport(['s3-endpoint-policy', '--policy', file]);
    expect([code, err]).toEqual([
      0,
      'sallyport: rule c: path-style hosts open every bucket and are left out: name buckets instead\n',
    ]);
    expect(JSON.parse(out)).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'ApprovedBuckets',
          Effect: 'Allow',
          Principal: '*',
          Action: 's3:*',
          Resource: ['arn:aws:s3:::app', 'arn:aws:s3:::app/*'],
        },
        {
          Sid: 'ReadPresetBuckets',
          Effect: 'Allow',
          Principal: '*',
          Action: 's3:GetObject',
          Resource: ['arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*'],
        },
      ],
    });
  });

  it('keeps the layers of ECR when asked to, and reminds of the bucket behind an access point', async () => {
    const file = policyOf('  - { name: a, s3: { accessPoints: ["fin-{account}"] } }\n');
    const { code, out, err } = await sallyport(['s3-endpoint-policy', '--policy', file, '--keep-ecr']);
    expect(code).toBe(0);
    expect(err).toContain('behind an access point, its bucket must be open as well');
    expect(out).toContain('arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*');
  });

  it('takes the default policy when none is named', async () => {
    const { code, out } = await sallyport(['s3-endpoint-policy']);
    expect(code).toBe(0);
    expect(out).toContain('arn:aws:s3:::app-artifacts/*');
  });

  it('fails when no rule opens a bucket', async () => {
    const file = policyOf(
      '  - { name: a, hosts: ["logs.{region}.amazonaws.com", "{account}.example.com"] }\n',
    );
    const { code, out, err } = await sallyport(['s3-endpoint-policy', '--policy', file]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('no rule opens a bucket');
  });

  it('fails when AWS would not take it, and prints it all the same', async () => {
    const buckets = Array.from({ length: 600 }, (_, i) => `bucket-number-${i}`).join(', ');
    const { code, out, err } = await sallyport([
      's3-endpoint-policy',
      '--policy',
      policyOf(`  - { name: a, s3: { buckets: [${buckets}] } }\n`),
    ]);
    expect(code).toBe(1);
    expect(err).toMatch(/has \d+ characters, and AWS takes 20480/);
    expect(JSON.parse(out).Statement).toHaveLength(1);
  });

  it('wants to know of which region', async () => {
    const file = fileWith('version: 1\nrules: [{ name: a, hosts: [app.s3.us-east-1.amazonaws.com] }]\n');
    const { code, err } = await sallyport(['s3-endpoint-policy', '--policy', file, '--keep-ecr']);
    expect([code, err]).toEqual([
      2,
      'sallyport: --keep-ecr: of which region? (say vars: { region: us-east-1 }, or set AWS_REGION)\n',
    ]);
  });
});

describe('explain', () => {
  it('says which preset or bucket a refused host belongs to', async () => {
    const file = fileWith('version: 1\nrules: []\n');
    const { out } = await sallyport(['explain', 'auth.docker.io', '--policy', file]);
    expect(out).toContain('\n  auth.docker.io belongs to preset docker-hub, which no rule uses\n');
    const json = await sallyport(['explain', 'x.s3.us-east-1.amazonaws.com', '--policy', file, '--json']);
    expect(JSON.parse(json.out)).toMatchObject({
      hint: 'is S3 bucket x (virtual-hosted), which no s3 rule has',
    });
  });
});
