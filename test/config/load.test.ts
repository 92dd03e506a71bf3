import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../../src/config/diagnostics.ts';
import { loadAny, loadDaemonConfig, loadPolicy, parsePolicyText } from '../../src/config/load.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { Policy } from '../../src/policy/policy.ts';
import { RuleBook } from '../../src/policy/rule-book.ts';

const NOW_MS = Date.parse('2026-06-01T00:00:00Z');
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sallyport-load-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function write(name: string, text: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

async function complaints(path: string): Promise<string[]> {
  const load = await loadPolicy(path, NOW_MS);
  const diagnostics = load.ok ? load.warnings : load.diagnostics;
  return diagnostics.map(d => formatDiagnostic(d).replaceAll(`${directory}/`, '').replaceAll(directory, '.'));
}

describe('a policy file', () => {
  it('is parsed with its defaults, variables and places', async () => {
    const path = await write(
      'p.yaml',
      `version: 1
vars: { region: us-east-1 }
sources: { build: { cidrs: [10.0.0.0/8] } }
rules:
  - name: logs
    hosts: ["logs.{region}.amazonaws.com", "Monitoring.{region}.amazonaws.com"]
    ports: [8443, 443, 443]
    from: [build, "::1"]
    until: 2027-01-31
`,
    );
    const load = await loadPolicy(path, NOW_MS);
    if (!load.ok) throw new Error(formatDiagnostic(load.diagnostics[0] ?? never()));
    const { rules, ...rest } = load.policy;
    expect(load.warnings).toEqual([]);
    expect(rest).toMatchObject({ mode: 'enforce', ech: 'deny', observeUntilMs: null, sha256: load.sha256 });
    expect(rules).toHaveLength(1);
    expect(rules[0]).toMatchObject({
      name: 'logs',
      action: 'allow',
      ports: [443, 8443],
      untilMs: Date.parse('2027-02-01T00:00:00Z'),
      allowPrivate: false,
      ech: null,
      location: { file: path, line: 5, col: 5 },
      hostPositions: [
        { line: 6, col: 13 },
        { line: 6, col: 44 },
      ],
    });
    expect(rules[0]?.hosts.map(h => h.text)).toEqual([
      'logs.us-east-1.amazonaws.com',
      'monitoring.us-east-1.amazonaws.com',
    ]);
    expect(rules[0]?.from.map(item => item.text)).toEqual(['build', '::1']);
  });

  it('has the hash that sha256sum says', async () => {
    const load = await parsePolicyText('p.yaml', 'version: 1\nrules: []\n', NOW_MS);
    expect(load).toMatchObject({
      ok: true,
      sha256: '7f2c43106364d8112fcc3060e4ab8b20f5d1a17d9cbf3c2540529663004adff8',
    });
  });

  it('may begin with a byte order mark', async () => {
    expect((await loadPolicy(await write('p.yaml', '\ufeffversion: 1\nrules: []\n'))).ok).toBe(true);
  });
});

describe('a file that cannot be kept beside the others', () => {
  it('is indented with tabs', async () => {
    const load = await parsePolicyText('p.yaml', 'version: 1\nrules:\n\t- name: api\n', NOW_MS);
    expect(load.ok ? [] : load.diagnostics.map(formatDiagnostic)).toEqual([
      'p.yaml:3:1: a tab is used for indentation (indent with spaces)',
    ]);
  });

  it('is nested without end', async () => {
    const load = await parsePolicyText('p.yaml', '['.repeat(100_000), NOW_MS);
    expect(load.ok ? [] : load.diagnostics.map(formatDiagnostic)).toEqual([
      'p.yaml:1:1: is nested too deeply (write it flatter)',
    ]);
  });
});

describe('a path that cannot be loaded', () => {
  it.each([
    [
      'a missing file',
      async () => join(directory, 'none.yaml'),
      'none.yaml:1:1: does not exist (check the path)',
    ],
    [
      'an empty directory',
      async () => directory,
      '.:1:1: holds no *.yaml or *.yml file (put a policy file there)',
    ],
    ['a device', async () => '/dev/null', '/dev/null:1:1: is not a regular file (name a file of YAML text)'],
    [
      'a file that is not UTF-8',
      () => write('p.yaml', new Uint8Array([0x61, 0xff])),
      'p.yaml:1:1: is not UTF-8 text (save it as UTF-8)',
    ],
    [
      'a FIFO',
      async () => {
        execFileSync('mkfifo', [join(directory, 'fifo')]);
        return join(directory, 'fifo');
      },
      'fifo:1:1: is not a regular file (name a file of YAML text)',
    ],
    [
      'a link to itself',
      async () => {
        await symlink('loop.yaml', join(directory, 'loop.yaml'));
        return join(directory, 'loop.yaml');
      },
      'loop.yaml:1:1: cannot be read: too many symbolic links (check where the links lead)',
    ],
    [
      'a huge file',
      async () => {
        const path = await write('p.yaml', '');
        await truncate(path, 65 * 1024 * 1024);
        return path;
      },
      'p.yaml:1:1: is larger than 64 MiB (split it, or write fewer rules)',
    ],
  ])('%s', async (_, path, expected) => {
    expect(await complaints(await path())).toEqual([expected]);
  });

  it('is said to be a directory where a file is wanted', async () => {
    const load = await loadDaemonConfig(directory);
    expect(load).toMatchObject({
      ok: false,
      diagnostics: [{ message: 'is a directory', fix: 'name a file' }],
    });
  });
});

describe('a directory of policy files', () => {
  it('is read in name order and merged', async () => {
    await write(
      '20-b.yml',
      'version: 1\nvars: { b: b }\nrules:\n  - { name: second, hosts: ["{a}.{b}.com"], from: [g] }\n',
    );
    await write(
      '10-a.yaml',
      'version: 1\nmode: observe\nvars: { a: a }\nsources: { g: { cidrs: [::1] } }\nrules:\n  - { name: first, hosts: [x.com] }\n',
    );
    await write('notes.txt', 'not YAML: [');
    await write('.hidden.yaml', 'not YAML: [');
    const load = await loadPolicy(directory, NOW_MS);
    if (!load.ok) throw new Error(formatDiagnostic(load.diagnostics[0] ?? never()));
    expect(load.policy.mode).toBe('observe');
    expect(load.policy.rules.map(rule => [rule.name, rule.hosts[0]?.text])).toEqual([
      ['first', 'x.com'],
      ['second', 'a.b.com'],
    ]);
  });

  it.each([
    [
      'the mode',
      'mode: observe',
      'mode: enforce',
      'b.yaml:2:7: mode: a.yaml says another mode (say it in one file)',
    ],
    [
      'a variable',
      'vars: { v: a }',
      'vars: { v: a }',
      'b.yaml:2:12: vars.v: a.yaml has this variable too (say it in one file)',
    ],
    [
      'a group',
      'sources: { g: { cidrs: [::1], mode: enforce } }',
      'sources: { g: { cidrs: [::2], mode: enforce } }',
      'b.yaml:2:15: sources.g: a.yaml has this group too (say it in one file)',
    ],
  ])('says %s once', async (_, a, b, expected) => {
    await write('a.yaml', `version: 1\n${a}\nrules: []\n`);
    await write('b.yaml', `version: 1\n${b}\nrules: []\n`);
    expect(await complaints(directory)).toEqual([expected]);
  });

  it('may say the mode twice when it is the same', async () => {
    await write('a.yaml', 'version: 1\nmode: observe\nrules: []\n');
    await write('b.yaml', 'version: 1\nmode: observe\nrules: []\n');
    expect(await complaints(directory)).toEqual([]);
  });

  it('names the file and the index in it', async () => {
    await write('a.yaml', 'version: 1\nrules:\n  - { name: x, hosts: [a.com] }\n');
    await write('b.yaml', 'version: 1\nrules:\n  - { name: x, hosts: [b.com] }\n');
    expect(await complaints(directory)).toEqual([
      'b.yaml:3:13: rules[0].name: the name "x" is taken by the rule at a.yaml:3 (give each rule a name of its own)',
    ]);
  });
});

describe('a warning', () => {
  const warned = (rules: string) => complaintsOf(`version: 1\nrules:\n${rules}`);
  const complaintsOf = async (text: string) => {
    const load = await parsePolicyText('p.yaml', text, NOW_MS);
    if (!load.ok) throw new Error(formatDiagnostic(load.diagnostics[0] ?? never()));
    return load.warnings.map(formatDiagnostic);
  };

  it.each([
    [
      'a pattern that another rule decides',
      '  - { name: b, hosts: [x.com] }\n  - { name: a, hosts: [x.com] }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: "x.com" is decided by rule a (p.yaml:4), never by this one (remove one of the two)',
    ],
    [
      'a pattern twice in a rule',
      '  - { name: a, hosts: [x.com, X.com] }\n',
      'p.yaml:3:31: warning: rules[0].hosts[1]: "x.com" stands in this rule twice (remove one of the two)',
    ],
    [
      'a rule that a deny rule covers',
      '  - { name: a, hosts: [x.y.com] }\n  - { name: d, action: deny, hosts: ["**.com"] }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: never allowed: rule d (p.yaml:4) denies "**.com" (remove one of the two)',
    ],
    [
      'a rule that has expired',
      '  - { name: a, hosts: [x.com], until: 2026-05-31 }\n',
      'p.yaml:3:5: warning: rules[0]: matches nothing since 2026-06-01T00:00:00Z (remove the rule, or its until)',
    ],
    [
      'a glob that anyone can match',
      '  - { name: a, hosts: ["x*.com"] }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: anyone can register a name under com that matches "x*.com" (name the hosts, or say acceptPublicSuffix: true)',
    ],
    [
      'every bucket',
      '  - { name: a, hosts: [s3.us-east-1.amazonaws.com] }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: opens every S3 bucket: the path names the bucket here (name buckets with s3: { buckets: [...] })',
    ],
    [
      'a rule that a wider one has already',
      '  - { name: a, hosts: [x.y.com] }\n  - { name: b, hosts: ["*.y.com"], ports: [443, 80] }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: allowed already: rule b (p.yaml:4) allows "*.y.com" (remove one of the two)',
    ],
    [
      'a glob that a wider glob has already',
      '  - { name: a, hosts: ["team-a-*.y.com"] }\n  - { name: b, hosts: ["team-*.y.com"] }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: allowed already: rule b (p.yaml:4) allows "team-*.y.com" (remove one of the two)',
    ],
    [
      'a host that a preset has already',
      '  - { name: a, hosts: [auth.docker.io] }\n  - { name: b, presets: [docker-hub] }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: allowed already: rule b (p.yaml:4) allows "auth.docker.io" of preset docker-hub (remove one of the two)',
    ],
    [
      'a preset that a deny rule takes',
      '  - { name: a, presets: [ghcr] }\n  - { name: d, action: deny, hosts: ["**.githubusercontent.com"] }\n',
      'p.yaml:3:26: warning: rules[0].presets[0]: never allowed: rule d (p.yaml:4) denies "**.githubusercontent.com" (remove one of the two)',
    ],
    [
      'a rule that ends soon',
      '  - { name: a, hosts: [x.com], until: 2026-06-03 }\n',
      'p.yaml:3:5: warning: rules[0]: matches nothing from 2026-06-04T00:00:00Z on, in 3 days (extend its until, or let it end)',
    ],
    [
      'every bucket, by a wildcard',
      '  - { name: a, hosts: ["*.us-west-2.amazonaws.com"], acceptPublicSuffix: true }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: matches s3.us-west-2.amazonaws.com as well, where the path names the bucket: it opens every S3 bucket (name buckets with s3: { buckets: [...] })',
    ],
    [
      'every bucket, by a glob',
      '  - { name: a, hosts: ["s*.us-west-2.amazonaws.com"] }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: matches s3.us-west-2.amazonaws.com as well, where the path names the bucket: it opens every S3 bucket (name buckets with s3: { buckets: [...] })',
    ],
    [
      'every bucket, by leave',
      '  - { name: a, s3: { buckets: [x], regions: [us-east-1], allowPathStyle: true } }\n',
      'p.yaml:3:74: warning: rules[0].s3.allowPathStyle: opens every S3 bucket: the path names the bucket there (leave it out unless a client knows no other way)',
    ],
    [
      'a bucket that is asked for by path',
      '  - { name: a, s3: { buckets: [x, my_bucket], regions: [us-east-1] } }\n',
      'p.yaml:3:35: warning: rules[0].s3.buckets[1]: over TLS, clients ask by path for a bucket name with dots or underscores, not by these hosts (use a bucket of letters, digits and hyphens, or say allowPathStyle: true)',
    ],
    [
      'a bucket that no hostname shows',
      '  - { name: a, s3: { buckets: [x, MyBucket], regions: [us-east-1] } }\n',
      'p.yaml:3:35: warning: rules[0].s3.buckets[1]: no hostname shows a bucket name with capitals: clients ask for it by path (use a bucket of letters, digits and hyphens, or say allowPathStyle: true)',
    ],
    [
      'a tcp rule where clients say a name',
      '  - { name: a, hosts: [x.com], ports: [22, 443], protocol: tcp }\n',
      'p.yaml:3:39: warning: rules[0].ports: on port 443 clients say a name, which is not looked at for these destinations: whatever else is served there opens with them (use a rule without protocol: tcp)',
    ],
    [
      'a private block',
      '  - { name: a, cidrs: [10.1.0.0/16], ports: [22], protocol: tcp }\n',
      'p.yaml:3:24: warning: rules[0].cidrs[0]: 10.1.0.0/16 is private: without allowPrivate nothing in it is reached, unless destinations.allow covers it (say allowPrivate: true)',
    ],
    [
      'a block as wide as the Internet',
      '  - { name: a, cidrs: ["::/0"], ports: [22], protocol: tcp }\n',
      'p.yaml:3:24: warning: rules[0].cidrs[0]: ::/0 opens a large part of the Internet to whatever is spoken there (write the blocks that are meant)',
    ],
    [
      'a block inside that of another rule',
      '  - { name: a, cidrs: [203.0.113.7], ports: [22], protocol: tcp }\n  - { name: b, cidrs: [203.0.113.0/24], ports: [22, 23], protocol: tcp }\n',
      'p.yaml:3:5: warning: rules[0].cidrs[0]: allowed already: rule b (p.yaml:4) allows 203.0.113.0/24 (remove one of the two)',
    ],
    [
      'a block that is denied',
      '  - { name: a, cidrs: [203.0.113.7], ports: [22], protocol: tcp }\n  - { name: b, cidrs: [203.0.113.0/24], ports: [22], protocol: tcp, action: deny }\n',
      'p.yaml:3:5: warning: rules[0].cidrs[0]: never allowed: rule b (p.yaml:4) denies 203.0.113.0/24 (remove one of the two)',
    ],
    [
      'a block in two rules',
      '  - { name: b, cidrs: [203.0.113.7], ports: [22], protocol: tcp }\n  - { name: a, cidrs: [203.0.113.7/32], ports: [22], protocol: tcp }\n',
      'p.yaml:3:5: warning: rules[0].cidrs[0]: allowed already: rule a (p.yaml:4) allows 203.0.113.7/32 (remove one of the two)',
    ],
    [
      'a bucket with dots',
      '  - { name: a, hosts: [my.bucket.s3.us-east-1.amazonaws.com] }\n',
      'p.yaml:3:24: warning: rules[0].hosts[0]: a bucket name with dots is asked for by path, not by this host (use a bucket without dots)',
    ],
  ])('tells of %s', async (_, rules, expected) => {
    expect(await warned(rules)).toEqual([expected]);
  });

  it.each([
    [
      'rules for other ports',
      '  - { name: a, hosts: [x.com] }\n  - { name: b, hosts: [x.com], ports: [80] }\n',
    ],
    [
      'rules for other sources',
      '  - { name: a, hosts: [x.com] }\n  - { name: b, hosts: [x.com], from: [10.0.0.0/8] }\n',
    ],
    [
      'a deny rule for other ports',
      '  - { name: a, hosts: [x.com], ports: [80, 443] }\n  - { name: d, action: deny, hosts: [x.com] }\n',
    ],
    [
      'a deny rule for a while',
      '  - { name: a, hosts: [x.com] }\n  - { name: d, action: deny, hosts: [x.com], until: 2027-01-01 }\n',
    ],
    [
      'a wider rule for fewer ports',
      '  - { name: a, hosts: [x.y.com], ports: [443, 80] }\n  - { name: b, hosts: ["*.y.com"] }\n',
    ],
    [
      'a wider rule with another effect',
      '  - { name: a, hosts: [x.y.com], allowPrivate: true }\n  - { name: b, hosts: ["*.y.com"] }\n',
    ],
    [
      'a narrower rule',
      '  - { name: a, hosts: ["**.y.com"], from: [10.0.0.0/8] }\n  - { name: b, hosts: ["*.y.com"] }\n',
    ],
    ['presets that overlap', '  - { name: a, presets: [quay] }\n  - { name: b, presets: [redhat] }\n'],
    ['a family of buckets', '  - { name: a, s3: { buckets: ["team-*"], regions: [us-east-1] } }\n'],
    ['a service of AWS', '  - { name: a, hosts: ["ecs-a-*.us-east-1.amazonaws.com"] }\n'],
    ['a rule that ends later', '  - { name: a, hosts: [x.com], until: 2026-07-03 }\n'],
    ['a deny rule over a public suffix', '  - { name: d, action: deny, hosts: ["**.zip"] }\n'],
    ['a bucket', '  - { name: a, hosts: [bucket.s3.us-east-1.amazonaws.com] }\n'],
  ])('does not tell of %s', async (_, rules) => {
    expect(await warned(rules)).toEqual([]);
  });

  it.each([
    [
      'an unused group',
      'sources: { g: { cidrs: [::1] } }',
      'p.yaml:2:12: warning: sources.g: no rule names this group (use it in from, or remove it)',
    ],
    [
      'an unused variable',
      'vars: { region: us-east-1 }',
      'p.yaml:2:17: warning: vars.region: nothing uses this variable (write {region} in hosts, or remove it)',
    ],
    [
      'observeUntil without observe',
      'observeUntil: 2027-01-01',
      'p.yaml:2:15: warning: observeUntil: has no meaning where mode is enforce (remove it, or say mode: observe)',
    ],
  ])('tells of %s', async (_, line, expected) => {
    expect(await complaintsOf(`version: 1\n${line}\nrules: []\n`)).toEqual([expected]);
  });

  it.each([
    [
      's3.us-east-1.amazonaws.com',
      '"s3.us-east-1.amazonaws.com" of preset own opens every S3 bucket: the path names the bucket here',
    ],
    [
      's*.us-west-2.amazonaws.com',
      '"s*.us-west-2.amazonaws.com" of preset own matches s3.us-west-2.amazonaws.com as well, where the path names the bucket: it opens every S3 bucket',
    ],
  ])('tells of a preset with %s', async (host, expected) => {
    const policy = await write('buckets/p.yaml', 'version: 1\nrules: [{ name: a, presets: [own] }]\n');
    const preset = `version: 1\ntitle: Own\nchecked: 2026-11-21\nsources: [https://example.com]\nhosts: ["${host}"]\n`;
    await write('buckets/presets.d/own.yaml', preset);
    const load = await loadPolicy(policy, NOW_MS);
    expect(load.ok && load.warnings.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      `rules[0].presets[0]: ${expected}`,
    ]);
  });

  it('tells of an observeUntil that has passed', async () => {
    expect(await complaintsOf('version: 1\nmode: observe\nobserveUntil: 2026-06-01\nrules: []\n')).toEqual([
      'p.yaml:3:15: warning: observeUntil: has passed: the policy is enforced (say mode: enforce instead)',
    ]);
  });
});

describe('variables', () => {
  const hostsOf = async (text: string, defaults = {}) => {
    const load = await loadPolicy(await write('p.yaml', `version: 1\n${text}`), NOW_MS, defaults);
    if (!load.ok) return load.diagnostics.map(formatDiagnostic);
    return load.policy.rules.flatMap(({ hosts }) => hosts.map(host => host.text));
  };

  it.each([
    [
      'of a list make a host each, in their places',
      'vars: { r: [us-east-1, eu-west-1] }\nrules: [{ name: a, hosts: [x.com, "{r}.y.com", z.com] }]\n',
      ['x.com', 'us-east-1.y.com', 'eu-west-1.y.com', 'z.com'],
    ],
    [
      'are taken from the surroundings',
      'rules: [{ name: a, hosts: ["{region}.y.com"] }]\n',
      ['eu-west-3.y.com'],
    ],
    [
      'that the policy says come first',
      'vars: { region: us-east-2 }\nrules: [{ name: a, hosts: ["{region}.y.com"] }]\n',
      ['us-east-2.y.com'],
    ],
    [
      'serve presets',
      'rules: [{ name: a, presets: [identity-center] }]\n',
      ['portal.sso.eu-west-3.amazonaws.com', 'oidc.eu-west-3.amazonaws.com'],
    ],
    [
      'serve buckets',
      'rules: [{ name: a, s3: { accessPoints: ["fin-{account}"], regions: [cn-north-1] } }]\n',
      [
        'fin-123456789012.s3-accesspoint.cn-north-1.amazonaws.com.cn',
        'fin-123456789012.s3-accesspoint.dualstack.cn-north-1.amazonaws.com.cn',
        'fin-123456789012.accesspoint.vpce-*.s3.cn-north-1.vpce.amazonaws.com.cn',
        'fin-123456789012.s3-object-lambda.cn-north-1.amazonaws.com.cn',
      ],
    ],
  ])('%s', async (_, text, hosts) => {
    expect(await hostsOf(text, { region: 'eu-west-3', account: '123456789012' })).toEqual(hosts);
  });

  it('are no accounts and regions by chance', async () => {
    const text = 'vars: { region: us-east-1, account: "12345" }\nrules: [{ name: a, presets: [ecr] }]\n';
    expect((await hostsOf(text))[0]).toContain(
      'rules[0].presets[0]: "12345" is no account of AWS (say vars:',
    );
  });
});

describe('a rule of hosts with different conditions', () => {
  it('is several rules of one name, each host with its own', async () => {
    const path = await write(
      'p.yaml',
      `version: 1
vars: { region: us-east-1 }
rules:
  - name: mixed
    hosts: [a.example.com, docker.io]
    ports: [443, 8443]
    presets: [docker-hub, ocsp-crl, sts]
    s3: { buckets: [app] }
  - { name: strict, presets: [sts], allowPrivate: false, from: [10.0.0.0/8] }
`,
    );
    const load = await loadPolicy(path, NOW_MS);
    if (!load.ok) throw new Error(formatDiagnostic(load.diagnostics[0] ?? never()));
    expect(load.warnings).toEqual([]);
    const parts = load.policy.rules.map(({ name, ports, allowPrivate, hosts }) => [
      name,
      ports.join(),
      allowPrivate,
      hosts[0]?.text,
    ]);
    expect(parts).toEqual([
      ['mixed', '443,8443', false, 'a.example.com'],
      ['mixed', '443', false, 'registry-1.docker.io'],
      ['mixed', '80', false, 'crl3.digicert.com'],
      ['mixed', '443', true, 'sts.us-east-1.amazonaws.com'],
      ['mixed', '80', true, 'app.s3-website-us-east-1.amazonaws.com'],
      ['strict', '443', false, 'sts.us-east-1.amazonaws.com'],
    ]);
    expect(load.presets.inUse).toEqual(['docker-hub', 'ocsp-crl', 'sts']);
    const policy = Policy.from(compilePolicy(load.policy));
    expect(policy.ruleCount).toBe(2);
    const book = new RuleBook(policy);
    expect(Array.from({ length: 6 }, (_, i) => [policy.ruleName(i), book.isPart(i)])).toEqual([
      ['mixed', false],
      ['mixed', true],
      ['mixed', true],
      ['mixed', true],
      ['mixed', true],
      ['strict', false],
    ]);
    expect([book.ruleNamed('mixed'), book.ruleNamed('strict'), book.ruleNamed('none')]).toEqual([0, 5, -1]);
  });
});

describe('presets of the operator', () => {
  const OWN =
    'version: 1\ntitle: Ours\nchecked: 2026-11-21\nsources: [wiki]\nhosts: ["api.{stage}.corp.example"]\n';
  const POLICY = 'version: 1\nvars: { stage: test }\nrules: [{ name: a, presets: [own] }]\n';

  it.each([
    ['beside a policy file', 'p.yaml', 'presets.d/own.yaml', 'p.yaml'],
    ['in a directory of policies', 'd/p.yaml', 'd/presets.d/own.yaml', 'd'],
  ])('stand %s, and count in its hash', async (_, policy, preset, path) => {
    await write(policy, POLICY);
    await write(preset, OWN);
    const load = await loadPolicy(join(directory, path), NOW_MS);
    if (!load.ok) throw new Error(formatDiagnostic(load.diagnostics[0] ?? never()));
    expect(load.policy.rules[0]?.hosts[0]?.text).toBe('api.test.corp.example');
    expect(load.presets.own.map(({ name }) => name)).toEqual(['own']);
    await write(preset, `${OWN}# changed\n`);
    expect(await loadPolicy(join(directory, path), NOW_MS)).not.toMatchObject({ sha256: load.sha256 });
  });

  it('are refused with their places', async () => {
    await write('presets.d/own.yaml', `${OWN}port: [1]\n`);
    expect(await complaints(await write('p.yaml', POLICY))).toEqual([
      'presets.d/own.yaml:6:1: unknown key "port" (did you mean "ports"?)',
    ]);
  });
});

describe('either kind of file', () => {
  it.each([
    ['a policy', 'version: 1\nrules: []\n', 'policy', true],
    [
      'a daemon configuration',
      'version: 1\nlisteners: [{ name: a, kind: explicit, address: "127.0.0.1:0" }]\n',
      'daemon',
      true,
    ],
    ['a broken daemon configuration', 'version: 1\nlisteners: []\n', 'daemon', false],
    ['a file of neither', 'hello: world\n', 'policy', false],
  ])('is told by its keys: %s', async (_, text, kind, ok) => {
    expect(await loadAny(await write('x.yaml', text))).toMatchObject({ kind, load: { ok } });
  });
});

describe('a diagnostic', () => {
  it('stays on one line whatever the file holds', async () => {
    const load = await parsePolicyText('p.yaml', 'version: 1\nrules: []\n"a\\nb\\e[2J": 1\n', NOW_MS);
    const text = load.ok ? '' : load.diagnostics.map(formatDiagnostic).join('');
    expect(text).toContain('unknown key');
    expect(text).not.toMatch(/\p{Cc}/u);
  });
});

function never(): never {
  throw new Error('unreachable');
}
