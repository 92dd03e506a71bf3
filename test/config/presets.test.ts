import { describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../src/config/diagnostics.ts';
import { loadPolicyPresets, loadShippedPresets } from '../../src/config/presets.ts';
import { parsePattern } from '../../src/policy/pattern.ts';
import { PresetIndex } from '../../src/policy/preset-index.ts';
import { expandPreset, type Preset } from '../../src/policy/presets.ts';
import { SuffixGuard } from '../../src/policy/public-suffix.ts';

const shipped = await loadShippedPresets();
const presets = shipped.ok ? [...shipped.presets.values()] : [];
const VALUES = new Map([
  ['region', ['us-east-1', 'us-gov-west-1', 'cn-north-1']],
  ['account', ['123456789012']],
]);

describe('the shipped presets', () => {
  it('load, and are those that are documented', () => {
    expect(shipped.ok ? [] : shipped.diagnostics.map(formatDiagnostic)).toEqual([]);
    expect(presets.map(({ name }) => name).sort()).toEqual([
      'bedrock',
      'cloudwatch',
      'cloudwatch-logs',
      'codeartifact',
      'docker-desktop',
      'docker-hub',
      'dynamodb',
      'ecr',
      'ecr-public',
      'ecs-agent',
      'events',
      'firehose',
      'gcr',
      'ghcr',
      'github',
      'gitlab',
      'google-storage',
      'iam',
      'identity-center',
      'kinesis',
      'kms',
      'lambda',
      'mcr',
      'ocsp-crl',
      'quay',
      'redhat',
      'registry-k8s-io',
      'secrets-manager',
      'sns',
      'sqs',
      'ssm',
      'sts',
      'xray',
    ]);
  });

  it.each(presets)('$name: every host is a pattern that covers no public suffix', preset => {
    const guard = new SuffixGuard();
    for (const host of hostsOf(preset)) {
      const parsed = parsePattern(host);
      expect(parsed, host).toMatchObject({ ok: true });
      if (parsed.ok) expect(guard.judge(parsed.pattern), host).toEqual({ kind: 'fine' });
    }
  });

  it.each(presets)('$name: no ** and no label that is only *, except at a domain of one owner', preset => {
    const wide = hostsOf(preset).filter(host => /(?:^|\.)\*(?:\.|$)|\*\*/.test(host));
    expect(wide.filter(host => !/\.(?:data\.mcr\.microsoft|amazontrust)\.com$/.test(host))).toEqual([]);
  });

  it.each(presets)('$name: each host is found by the index', preset => {
    const index = new PresetIndex(presets);
    for (const host of hostsOf(preset)) {
      const names = index.find(host.replaceAll('*', 'x')).map(match => match.preset.name);
      expect(names, host).toContain(preset.name);
    }
  });

  it('pin registries to the account', () => {
    const ecr = presets.find(({ name }) => name === 'ecr');
    const registries = ecr === undefined ? [] : hostsOf(ecr).filter(host => host.includes('dkr'));
    expect(registries).toHaveLength(12);
    expect(registries.filter(host => !host.startsWith('123456789012.'))).toEqual([]);
  });

  it('open no path-style storage but the one that says so', () => {
    const hosts = presets.flatMap(preset => hostsOf(preset).map(host => `${preset.name} ${host}`));
    expect(hosts.filter(host => / (?:s3[.-]|storage\.googleapis)/.test(host))).toEqual([
      'google-storage storage.googleapis.com',
    ]);
  });
});

describe('a preset of the operator', () => {
  const read = async (text: string, ...names: string[]) => {
    const files = names.map(name => ({ file: `presets.d/${name}`, text, bytes: new Uint8Array() }));
    const load = await loadPolicyPresets(files, new Set());
    return load.ok ? [...load.own] : load.diagnostics.map(formatDiagnostic);
  };
  const HEAD = 'version: 1\ntitle: Ours\nchecked: 2026-11-21\nsources: [wiki]\n';

  it('is named like its file and has its defaults', async () => {
    expect(await read(`${HEAD}hosts: [a.example.com]\n`, 'own.yaml')).toEqual([
      {
        name: 'own',
        title: 'Ours',
        checked: '2026-11-21',
        sources: ['wiki'],
        note: '',
        hosts: ['a.example.com'],
        ports: [443],
        allowPrivate: false,
      },
    ]);
  });

  it.each([
    [
      'an unknown key',
      `${HEAD}host: [a.com]\nhosts: [a.com]\n`,
      'own.yaml',
      'presets.d/own.yaml:5:1: unknown key "host" (did you mean "hosts"?)',
    ],
    [
      'no hosts',
      `${HEAD}hosts: []\n`,
      'own.yaml',
      'presets.d/own.yaml:5:8: hosts: the list is empty (write for example ["api.example.com"])',
    ],
    [
      'a day with a time',
      'version: 1\ntitle: a\nchecked: 2026-11-21T00:00:00Z\nsources: [a]\nhosts: [a.com]\n',
      'own.yaml',
      'presets.d/own.yaml:3:10: checked: a day has no time (write 2026-11-21)',
    ],
    [
      'a host that is none',
      `${HEAD}hosts: [a.com, "https://{region}.a.com/x"]\n`,
      'own.yaml',
      'presets.d/own.yaml:5:16: hosts[1]: a host has no scheme (write "x.a.com")',
    ],
    [
      'a name that forges a line',
      `${HEAD}hosts: [a.com]\n`,
      'a b.yaml',
      'presets.d/a b.yaml:1:1: a name holds 1 to 128 letters, digits, dots, underscores and hyphens (rename the file: write "a-b")',
    ],
  ])('is refused with %s', async (_, text, name, expected) => {
    expect(await read(text, name)).toEqual([expected]);
  });

  it.each([
    [
      'one that comes with sallyport',
      ['ecr.yaml'],
      'presets.d/ecr.yaml:1:1: a preset of this name comes with sallyport (rename the file)',
    ],
    [
      'another file',
      ['own.yaml', 'own.yml'],
      'presets.d/own.yml:1:1: another file has this name (rename the file)',
    ],
  ])('does not take the place of %s', async (_, names, expected) => {
    expect(await read(`${HEAD}hosts: [a.com]\n`, ...names)).toEqual([expected]);
  });
});

describe('the presets of a policy', () => {
  it('are read when they are named, and all are known by name', async () => {
    const load = await loadPolicyPresets([], new Set(['ecr', 'nonsense']));
    if (!load.ok) throw new Error('does not load');
    expect([...load.presets.keys()]).toEqual(['ecr']);
    expect(load.names).toHaveLength(presets.length);
  });

  it('need no file where none is named', async () => {
    expect(await loadPolicyPresets([], new Set(), '/nowhere')).toMatchObject({ ok: true, names: [] });
  });

  it('say so when they have been mounted over', async () => {
    const load = await loadPolicyPresets([], new Set(['ecr']), '/nowhere');
    expect(load.ok ? [] : load.diagnostics.map(formatDiagnostic)).toEqual([
      '/nowhere:1:1: does not exist (it comes with sallyport: keep your own configuration elsewhere, and mount nothing over it)',
    ]);
  });
});

function hostsOf(preset: Preset): readonly string[] {
  const expansion = expandPreset(preset, VALUES);
  if (!expansion.ok) throw new Error(`${preset.name} lacks ${expansion.missing}`);
  return expansion.hosts;
}
