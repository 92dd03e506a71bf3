import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { planPolicyEdit, withText } from '../../src/config/edit-policy.ts';
import { unifiedDiff } from '../../src/config/line-diff.ts';
import type { HostsEdit, HostsRemoval, ModeEdit, PolicyEdit } from '../../src/config/policy-edit.ts';
import { hashSources, type PolicySources, type SourceFile } from '../../src/config/read-file.ts';
import { writtenPolicies } from './policy-texts.ts';

const NOW = Date.UTC(2026, 10, 21);

function file(text: string, name = 'policy.yaml'): SourceFile {
  return { file: name, text, bytes: new TextEncoder().encode(text) };
}

const mode = (to: 'observe' | 'enforce', more: Partial<ModeEdit> = {}): ModeEdit => ({
  kind: 'mode',
  mode: to,
  source: null,
  until: null,
  ...more,
});
const add = (action: 'allow' | 'deny', hosts: string[], more: Partial<HostsEdit> = {}): HostsEdit => ({
  kind: 'add',
  action,
  hosts,
  rule: null,
  ports: null,
  from: null,
  until: null,
  ...more,
});
const remove = (action: 'allow' | 'deny', hosts: string[], rule: string | null = null): HostsRemoval => ({
  kind: 'remove',
  action,
  hosts,
  rule,
});

function sourcesOf(text: string): PolicySources {
  return { files: [file(text)], presets: [] };
}

/** The difference that an edit makes, its lines that begin with + or -; or why it is refused. */
async function differenceOf(
  texts: string | Readonly<Record<string, string>>,
  edit: PolicyEdit,
): Promise<string[]> {
  const sources =
    typeof texts === 'string' ? [file(texts)] : Object.entries(texts).map(([n, t]) => file(t, n));
  const result = await planPolicyEdit({ files: sources, presets: [] }, edit, NOW);
  if (!result.ok) return result.errors.map(error => `refused: ${error}`);
  return sources.flatMap((source, i) => {
    const lines = unifiedDiff(source.file, source.text, result.plan.sources.files[i]?.text ?? '').text.split(
      '\n',
    );
    const changed = lines.slice(2).filter(line => /^[+-]/.test(line));
    return sources.length === 1 ? changed : changed.map(line => `${source.file}: ${line}`);
  });
}

async function planOf(text: string, edit: PolicyEdit) {
  const result = await planPolicyEdit(sourcesOf(text), edit, NOW);
  if (!result.ok) throw new Error(result.errors.join('\n'));
  return result.plan;
}

describe('the mode', () => {
  it.each<[string, string, ModeEdit, string[]]>([
    [
      'is changed where it stands',
      'version: 1\nmode: observe # since March\nrules: []\n',
      mode('enforce'),
      ['-mode: observe # since March', '+mode: enforce # since March'],
    ],
    [
      'is added where none is said, for enforce is the default',
      'version: 1\nrules: []\n',
      mode('observe'),
      ['+mode: observe'],
    ],
    ['stays where it is said already', 'version: 1\nmode: observe\nrules: []\n', mode('observe'), []],
    ['stays where it is the default', 'version: 1\nrules: []\n', mode('enforce'), []],
    [
      'takes observeUntil with it when it becomes enforce',
      'version: 1\nmode: observe\nobserveUntil: 2026-12-31 # trial\nrules: []\n',
      mode('enforce'),
      ['-mode: observe', '-observeUntil: 2026-12-31 # trial', '+mode: enforce'],
    ],
    [
      'becomes observe in truth when observeUntil has passed',
      'version: 1\nmode: observe\nobserveUntil: 2026-01-31\nrules: []\n',
      mode('observe'),
      ['-observeUntil: 2026-01-31'],
    ],
    [
      'keeps an observeUntil that is to come',
      'version: 1\nobserveUntil: 2026-12-31\nmode: enforce\nrules: []\n',
      mode('observe'),
      ['-mode: enforce', '+mode: observe'],
    ],
    [
      'gets an end',
      'version: 1\nmode: enforce\nrules: []\n',
      mode('observe', { until: '2026-12-31' }),
      ['-mode: enforce', '+mode: observe', '+observeUntil: 2026-12-31'],
    ],
    [
      'gets another end',
      'version: 1\nmode: observe\nobserveUntil: "2026-12-31"\nrules: []\n',
      mode('observe', { until: '2027-01-31T12:00:00Z' }),
      ['-observeUntil: "2026-12-31"', '+observeUntil: "2027-01-31T12:00:00Z"'],
    ],
    [
      'and its end are added where neither is said',
      '{ version: 1, rules: [] }',
      mode('observe', { until: '2026-12-31' }),
      ['-{ version: 1, rules: [] }', '+{ version: 1, mode: observe, observeUntil: 2026-12-31, rules: [] }'],
    ],
    [
      'of a group is changed',
      'version: 1\nsources:\n  old: { cidrs: [10.0.0.0/8], mode: observe }\nrules: []\n',
      mode('enforce', { source: 'old' }),
      ['-  old: { cidrs: [10.0.0.0/8], mode: observe }', '+  old: { cidrs: [10.0.0.0/8], mode: enforce }'],
    ],
    [
      'of a group is added',
      'version: 1\nsources:\n  old:\n    cidrs:\n      - 10.0.0.0/8\n  # more\nrules: []\n',
      mode('enforce', { source: 'old' }),
      ['+    mode: enforce'],
    ],
    [
      'of a group that is none is refused',
      'version: 1\nsources:\n  build: { cidrs: [10.0.0.0/8], mode: observe }\nrules: []\n',
      mode('enforce', { source: 'biuld' }),
      ['refused: no group of sources is named "biuld" (did you mean "build"?)'],
    ],
    [
      'enforce has no end',
      'version: 1\nrules: []\n',
      mode('enforce', { until: '2026-12-31' }),
      ['refused: until is for observe: enforce has no end'],
    ],
    [
      'observe has no end in the past',
      'version: 1\nrules: []\n',
      mode('observe', { until: '2026-11-01' }),
      ['refused: until: 2026-11-01 has passed: the policy would be enforced at once'],
    ],
    [
      'observe ends on a date',
      'version: 1\nrules: []\n',
      mode('observe', { until: 'soon' }),
      ['refused: until: "soon" is no ISO 8601 date (write 2027-01-31 or 2027-01-31T00:00:00Z)'],
    ],
    [
      'that others share is left to be edited by hand',
      'version: 1\nmode: &m observe\nsources: { a: { cidrs: [10.0.0.0/8], mode: *m } }\nrules: []\n',
      mode('enforce'),
      [
        'refused: policy.yaml:2:1: changing mode here would change something else as well (write mode: enforce there by hand)',
      ],
    ],
  ])('%s', async (_, text, edit, difference) => {
    expect(await differenceOf(text, edit)).toEqual(difference);
  });

  it('is changed in every file of a directory that says it', async () => {
    const texts = {
      'a.yaml': 'version: 1\nmode: observe\nobserveUntil: 2027-01-01\nrules: []\n',
      'b.yaml': 'version: 1\nrules: []\n',
      'c.yaml': 'version: 1\n# as in a.yaml\nmode: observe\nrules: []\n',
    };
    expect(await differenceOf(texts, mode('enforce'))).toEqual([
      'a.yaml: -mode: observe',
      'a.yaml: -observeUntil: 2027-01-01',
      'a.yaml: +mode: enforce',
      'c.yaml: -mode: observe',
      'c.yaml: +mode: enforce',
    ]);
  });
});

const RULES = 'version: 1\nrules:\n  - name: api\n    hosts: [api.example]\n';

describe('hosts', () => {
  it.each<[string, string, HostsEdit | HostsRemoval, string[]]>([
    [
      'are allowed by a new rule',
      RULES,
      add('allow', ['a.example', '*.b.example']),
      ['+  - name: allowed-by-command', '+    hosts:', '+      - a.example', '+      - "*.b.example"'],
    ],
    [
      'are denied by a new rule',
      RULES,
      add('deny', ['**.bad.example'], { ports: [443, 80], from: ['10.0.0.0/8'], until: '2027-01-31' }),
      [
        '+  - name: denied-by-command',
        '+    action: deny',
        '+    hosts:',
        '+      - "**.bad.example"',
        '+    ports: [443, 80]',
        '+    from:',
        '+      - 10.0.0.0/8',
        '+    until: 2027-01-31',
      ],
    ],
    [
      'join the rule that says the same of others',
      `${RULES}  - name: allowed-by-command\n    ports: [443]\n    hosts:\n      - b.example # Ann\n`,
      add('allow', ['a.example']),
      ['+      - a.example'],
    ],
    [
      'get a rule of their own where they differ',
      `${RULES}  - name: allowed-by-command\n    hosts: [b.example]\n`,
      add('allow', ['a.example'], { ports: [8443] }),
      ['+  - name: allowed-by-command-2', '+    hosts:', '+      - a.example', '+    ports: [8443]'],
    ],
    [
      'do not join a rule that somebody has widened',
      `${RULES}  - name: allowed-by-command\n    hosts: [b.example]\n    allowPrivate: true\n`,
      add('allow', ['a.example']),
      ['+  - name: allowed-by-command-2', '+    hosts:', '+      - a.example'],
    ],
    ['that are allowed already stay', RULES, add('allow', ['API.example']), []],
    [
      'that are allowed for longer are not allowed again',
      RULES,
      add('allow', ['api.example'], { until: '2027-01-31', from: ['10.0.0.0/8'] }),
      [],
    ],
    [
      'that are allowed on another port are allowed on this one',
      RULES,
      add('allow', ['api.example'], { ports: [8443] }),
      ['+  - name: allowed-by-command', '+    hosts:', '+      - api.example', '+    ports: [8443]'],
    ],
    [
      'are added once',
      RULES,
      add('allow', ['a.example', 'A.EXAMPLE'], { rule: 'api' }),
      ['-    hosts: [api.example]', '+    hosts: [api.example, a.example]'],
    ],
    [
      'are added to a new rule of that name',
      RULES,
      add('allow', ['a.example'], { rule: 'web' }),
      ['+  - name: web', '+    hosts:', '+      - a.example'],
    ],
    [
      'are not added to a rule of another action',
      RULES,
      add('deny', ['a.example'], { rule: 'api' }),
      ['refused: rule api says action: allow (name another rule, or change rule api by hand)'],
    ],
    [
      'are not added to a rule with other ports',
      RULES,
      add('allow', ['a.example'], { rule: 'api', ports: [80] }),
      ['refused: rule api has ports 443 (name another rule, or change rule api by hand)'],
    ],
    [
      'are not added to a rule for other sources',
      RULES,
      add('allow', ['a.example'], { rule: 'api', from: ['10.0.0.0/8'] }),
      ['refused: rule api is from any source (name another rule, or change rule api by hand)'],
    ],
    [
      'are not added to a rule that ends at another time',
      RULES,
      add('allow', ['a.example'], { rule: 'api', until: '2027-01-31' }),
      ['refused: rule api has another until (name another rule, or change rule api by hand)'],
    ],
    [
      'that are none are refused',
      RULES,
      add('allow', ['a..example'], { rule: 'api' }),
      [
        expect.stringContaining('refused: policy.yaml:4:26: rules[0].hosts[1]: an empty label'),
        'refused: the policy would not load any more',
      ],
    ],
    [
      'that cover a public suffix are refused',
      RULES,
      add('allow', ['*.com'], { rule: 'api' }),
      [
        expect.stringMatching(/^refused: policy.yaml:4:26: rules\[0\].hosts\[1\]: "\*.com" covers com/),
        'refused: the policy would not load any more',
      ],
    ],
    [
      'are removed, and their rule with the last',
      `${RULES}\n  - name: allowed-by-command # from here\n    hosts:\n      - b.example # Ann\n      # to here\n  # end\n`,
      remove('allow', ['b.example']),
      ['-  - name: allowed-by-command # from here', '-    hosts:', '-      - b.example # Ann'],
    ],
    [
      'are removed from all rules of the commands',
      'version: 1\nrules:\n  - { name: allowed-by-command, hosts: [a.example, b.example] }\n  - { name: allowed-by-command-2, hosts: [b.example], ports: [80] }\n',
      remove('allow', ['B.example']),
      [
        '-  - { name: allowed-by-command, hosts: [a.example, b.example] }',
        '-  - { name: allowed-by-command-2, hosts: [b.example], ports: [80] }',
        '+  - { name: allowed-by-command, hosts: [a.example] }',
      ],
    ],
    [
      'of other rules are removed only by the rule’s name',
      RULES,
      remove('allow', ['api.example']),
      [
        'refused: api.example stands in no rule named allowed-by-command (it stands in rule api: name that rule)',
      ],
    ],
    [
      'are removed from the rule of that name, the last of all',
      RULES,
      remove('allow', ['api.example'], 'api'),
      ['-rules:', '-  - name: api', '-    hosts: [api.example]', '+rules: []'],
    ],
    [
      'that stand nowhere are no removal',
      RULES,
      remove('deny', ['api.example'], 'api'),
      ['refused: api.example stands in no deny rule named api (nothing to remove)'],
    ],
  ])('%s', async (_, text, edit, difference) => {
    expect(await differenceOf(text, edit)).toEqual(difference);
  });

  it('go to the file of their rule, and a new rule to the last file', async () => {
    const texts = { 'a.yaml': RULES, 'b.yaml': 'version: 1\nrules: []\n' };
    expect(await differenceOf(texts, add('allow', ['x.example'], { rule: 'api' }))).toEqual([
      'a.yaml: -    hosts: [api.example]',
      'a.yaml: +    hosts: [api.example, x.example]',
    ]);
    expect(await differenceOf(texts, add('allow', ['x.example']))).toEqual([
      'b.yaml: -rules: []',
      'b.yaml: +rules:',
      'b.yaml: +  - name: allowed-by-command',
      'b.yaml: +    hosts:',
      'b.yaml: +      - x.example',
    ]);
  });

  it('bring their own warnings only', async () => {
    const text = `${RULES}  - { name: old, hosts: [old.example], until: 2020-01-01 }\n  - { name: no, action: deny, hosts: [no.example] }\n`;
    expect((await planOf(text, add('allow', ['no.example']))).warnings).toEqual([
      expect.stringContaining('never allowed: rule no (policy.yaml:6) denies "no.example"'),
    ]);
  });

  it('are told in a few words, what is so already too', async () => {
    const { changes, notes } = await planOf(RULES, add('allow', ['api.example', 'b.example']));
    expect([changes, notes]).toEqual([
      ['rule allowed-by-command added: allow b.example'],
      ['api.example stands in rule api already'],
    ]);
  });
});

describe('rules with presets', () => {
  const PRESETS = `version: 1
vars: { region: us-east-1 }
rules:
  - { name: registries, presets: [quay, ocsp-crl, sts] }
  - name: mixed
    hosts: [a.example]
    presets: [ghcr]
`;

  it('are told of as they are written, whatever their hosts differ in', async () => {
    expect((await planOf(PRESETS, mode('observe'))).changes).toEqual(['mode enforce -> observe']);
    const { changes } = await planOf(PRESETS, add('allow', ['b.example'], { rule: 'mixed' }));
    expect(changes).toEqual(['rule mixed: +b.example']);
  });

  it('keep their presets when their last host goes', async () => {
    expect(await differenceOf(PRESETS, remove('allow', ['a.example'], 'mixed'))).toEqual([
      '-    hosts: [a.example]',
    ]);
  });

  it('get no hosts when they have none', async () => {
    expect(await differenceOf(PRESETS, add('allow', ['b.example'], { rule: 'registries' }))).toEqual([
      'refused: rule registries has no hosts of its own (name another rule, or change rule registries by hand)',
    ]);
  });
});

describe('a plan', () => {
  it('keeps the byte order mark, which the text has lost when it was read', () => {
    const source = { ...file('mode: observe'), bytes: Uint8Array.from([0xef, 0xbb, 0xbf, 0x6d]) };
    expect([...withText(source, 'mode: x').bytes.slice(0, 4)]).toEqual([0xef, 0xbb, 0xbf, 0x6d]);
    expect(withText(source, source.text)).toBe(source);
  });

  it('is refused for a policy that does not load, with its errors', async () => {
    expect(
      await differenceOf('version: 1\nrules:\n  - { name: a, hosts: [a..b] }\n', mode('enforce')),
    ).toEqual([
      expect.stringContaining('refused: policy.yaml:3:24: rules[0].hosts[0]: '),
      'refused: the policy has errors already, mend them first',
    ]);
  });

  it('undoes what was done, but for blank lines', async () => {
    const inked = (text: string | undefined) =>
      text
        ?.replace(/rules: *\[ *\]/, 'rules: []')
        .split('\n')
        .filter(line => line.trim() !== '')
        .map(line => line.replace('\r', ''));
    await fc.assert(
      fc.asyncProperty(writtenPolicies, fc.constantFrom('allow', 'deny'), async ({ text }, action) => {
        const before = sourcesOf(text.replace('\uFEFF', ''));
        const done = await planPolicyEdit(before, add(action, ['new.example']), NOW);
        fc.pre(done.ok);
        if (!done.ok) return;
        const undone = await planPolicyEdit(done.plan.sources, remove(action, ['new.example']), NOW);
        if (!undone.ok) throw new Error(undone.errors.join('\n'));
        expect(inked(undone.plan.sources.files[0]?.text)).toEqual(inked(before.files[0]?.text));
      }),
      { numRuns: 300 },
    );
  });

  it('means what was asked for and nothing more, whatever the layout', async () => {
    await fc.assert(
      fc.asyncProperty(
        writtenPolicies,
        fc.constantFrom('observe', 'enforce'),
        async ({ text, value }, to) => {
          const sources = sourcesOf(text.replace('\uFEFF', ''));
          const plan = await planPolicyEdit(sources, mode(to), NOW);
          fc.pre(plan.ok);
          if (!plan.ok) return;
          const { observeUntil, ...rest } = value;
          const expected = {
            ...rest,
            ...(value.mode === undefined && to === 'enforce' ? {} : { mode: to }),
            ...(observeUntil === undefined || to === 'enforce' ? {} : { observeUntil }),
          };
          expect(parse(plan.plan.sources.files[0]?.text ?? '')).toEqual(expected);
          if (plan.plan.changes.length === 0)
            expect(hashSources(plan.plan.sources)).toBe(hashSources(sources));
        },
      ),
      { numRuns: 300 },
    );
  });
});
