import { describe, expect, it } from 'vitest';
import { PresetIndex } from '../../src/policy/preset-index.ts';
import { expandPreset, type Preset, presetVars } from '../../src/policy/presets.ts';

const preset = (name: string, hosts: string[]): Preset => ({
  name,
  title: name,
  checked: '2026-11-21',
  sources: ['https://example.com'],
  note: '',
  hosts,
  ports: [443],
  allowPrivate: false,
});

const ecr = preset('ecr', [
  'api.ecr.{region}.{dns-suffix}',
  '{account}.dkr.ecr.{region}.{dns-suffix}',
  'layers-{region}.s3.{region}.{dns-suffix}',
  'ecr.{region}.api.{dualstack-suffix}',
]);
const index = new PresetIndex([
  ecr,
  preset('hub', ['registry.example.io', '*.data.example.io', '**.cdn.example.io']),
  preset('also-hub', ['registry.example.io']),
  preset('own', ['api.{stage}.corp', 'db.{zone}']),
]);

function found(hostname: string): string[] {
  return index
    .find(hostname)
    .map(({ preset, vars }) =>
      [preset.name, ...[...vars].map(([name, value]) => `${name}=${value}`)].join(' '),
    );
}

describe('the presets of a hostname', () => {
  it.each([
    ['a literal host, in two presets', 'registry.example.io', ['hub', 'also-hub']],
    ['a wildcard', 'x.data.example.io', ['hub']],
    ['not two labels for a wildcard', 'x.y.data.example.io', []],
    ['not the apex', 'data.example.io', []],
    ['any depth', 'x.y.cdn.example.io', ['hub']],
    ['a region', 'api.ecr.eu-west-1.amazonaws.com', ['ecr region=eu-west-1']],
    [
      'an account',
      '210987654321.dkr.ecr.us-gov-west-1.amazonaws.com',
      ['ecr account=210987654321 region=us-gov-west-1'],
    ],
    ['not an account of eleven digits', '21098765432.dkr.ecr.us-east-1.amazonaws.com', []],
    ['not the suffix of another partition', 'api.ecr.us-east-1.amazonaws.com.cn', []],
    ['a region twice', 'layers-us-east-1.s3.us-east-1.amazonaws.com', ['ecr region=us-east-1']],
    ['not two regions for one', 'layers-us-east-1.s3.us-east-2.amazonaws.com', []],
    ['dual-stack', 'ecr.cn-north-1.api.amazonwebservices.com.cn', ['ecr region=cn-north-1']],
    ['a variable of the operator', 'api.test.corp', ['own stage=test']],
    ['a variable at the end', 'db.internal', ['own zone=internal']],
    ['not a longer name', 'registry.example.io.evil.com', []],
    ['not a name that merely ends alike', 'xregistry.example.io', []],
    ['a single label', 'localhost', []],
  ])('%s: %s', (_, hostname, expected) => {
    expect(found(hostname)).toEqual(expected);
  });
});

describe('a preset', () => {
  it('says which variables it needs', () => {
    expect(presetVars(ecr)).toEqual(['region', 'account']);
  });

  it('expands to hosts that it is found by', () => {
    const expansion = expandPreset(
      ecr,
      new Map([
        ['region', ['us-east-1', 'cn-north-1']],
        ['account', ['123456789012']],
      ]),
    );
    const hosts = expansion.ok ? expansion.hosts : [];
    expect(hosts).toHaveLength(8);
    for (const host of hosts) expect(index.find(host).map(match => match.preset)).toEqual([ecr]);
  });

  it('names all missing variables once', () => {
    expect(expandPreset(ecr, new Map())).toEqual({ ok: false, missing: ['region', 'account'] });
  });
});
