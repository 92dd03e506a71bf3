import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { type Diagnostic, formatDiagnostic } from '../../../src/config/diagnostics.ts';
import { planPolicyEdit } from '../../../src/config/edit-policy.ts';
import { loadDaemonConfig, parsePolicySources } from '../../../src/config/load.ts';
import type { PolicyEdit } from '../../../src/config/policy-edit.ts';
import type { PolicySources } from '../../../src/config/read-file.ts';
import { readYaml } from '../../../src/config/yaml-source.ts';
import { compilePolicy } from '../../../src/policy/compile.ts';
import { Policy } from '../../../src/policy/policy.ts';
import { daemonTexts, policyTexts } from '../inputs/yaml-texts.ts';
import { type Property, property } from '../property.ts';
import type { Target } from '../target.ts';

const NOW = Date.UTC(2026, 10, 21);
const FILE = 'policy.yaml';
const NEW_HOST = 'found-by-fuzzing.example';

function sourcesOf(text: string): PolicySources {
  return { files: [{ file: FILE, text, bytes: new TextEncoder().encode(text) }], presets: [] };
}

function assertSaid(diagnostics: readonly Diagnostic[], file: string, text: string): void {
  const lines = text.split('\n');
  for (const diagnostic of diagnostics) {
    const said = formatDiagnostic(diagnostic);
    assert.ok(said.startsWith(`${file}:${diagnostic.line}:${diagnostic.col}: `), said);
    assert.ok(diagnostic.line >= 1 && diagnostic.line <= lines.length, `there is no such line: ${said}`);
    const line = lines[diagnostic.line - 1] ?? '';
    assert.ok(diagnostic.col >= 1 && diagnostic.col <= line.length + 1, `there is no such column: ${said}`);
    assert.ok(
      diagnostic.message !== '' && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(said),
      `not one line: ${JSON.stringify(said)}`,
    );
  }
}

function loads(texts: fc.Arbitrary<string>): Property {
  return property('a policy loads, or is refused with file, line and column', texts, async text => {
    const load = await parsePolicySources(sourcesOf(text), NOW);
    if (load.ok) {
      Policy.from(compilePolicy(load.policy));
      assertSaid(load.warnings, FILE, text);
      return undefined;
    }
    assert.ok(load.diagnostics.length > 0, 'refused without a word');
    for (const { severity } of load.diagnostics) assert.equal(severity, 'error');
    assertSaid(load.diagnostics, FILE, text);
    return undefined;
  });
}

function readsAlike(texts: fc.Arbitrary<string>): Property {
  return property('a policy read in parts says what it says when it is read whole', texts, text => {
    const [parts, whole] = [readYaml(text), readYaml(text, false)];
    assert.equal(parts.ok, whole.ok);
    if (!parts.ok || !whole.ok) {
      assert.deepEqual(parts, whole);
      return undefined;
    }
    assert.deepEqual(parts.source.value, whole.source.value);
    assert.deepEqual(parts.source.rules, whole.source.rules);
    for (let i = 0; i < whole.source.rules.length; i++) {
      for (const path of [
        ['rules', i],
        ['rules', i, 'hosts', 0],
        ['rules', i, 'name'],
      ]) {
        assert.deepEqual(parts.source.locate(path), whole.source.locate(path), path.join('.'));
      }
    }
    return undefined;
  });
}

const edits = fc.constantFrom<PolicyEdit[]>(
  ...(['allow', 'deny'] as const).map(action => ({
    kind: 'add' as const,
    action,
    hosts: [NEW_HOST],
    rule: null,
    ports: null,
    from: null,
    until: null,
  })),
  ...(['observe', 'enforce'] as const).map(mode => ({
    kind: 'mode' as const,
    mode,
    source: null,
    until: null,
  })),
);

function changesNothingElse(texts: fc.Arbitrary<string>): Property {
  return property(
    'an edit of a policy changes what it says and nothing else',
    fc.record({ text: texts, edit: edits }),
    async ({ text, edit }) => {
      const plan = await planPolicyEdit(sourcesOf(text), edit, NOW);
      if (!plan.ok) return 'vacuous';
      const after = plan.plan.sources.files[0]?.text ?? '';
      assert.deepEqual(withoutEdit(parse(after), edit), withoutEdit(parse(text), edit));
      if (edit.kind === 'add')
        assert.ok(JSON.stringify(parse(after)).includes(NEW_HOST), 'nothing was added');
      const kept = linesKept(text, after);
      const lines = text.split('\n').length;
      assert.ok(
        kept >= lines - (edit.kind === 'add' ? 1 : 2),
        `${lines - kept} lines are not what they were`,
      );
      return undefined;
    },
  );
}

/** How many lines of a text are still there, in their order, in another. */
function linesKept(before: string, after: string): number {
  const later = after.split('\n');
  let at = 0;
  let kept = 0;
  for (const line of before.split('\n')) {
    const found = later.indexOf(line, at);
    if (found < 0) continue;
    kept++;
    at = found + 1;
  }
  return kept;
}

/** The values of a policy but for what an edit is about. */
function withoutEdit(value: unknown, edit: PolicyEdit): unknown {
  const policy = JSON.parse(JSON.stringify(value));
  if (edit.kind === 'mode') return { ...policy, mode: null, observeUntil: null };
  const rules = policy.rules.map((rule: { hosts?: string[] }) => ({
    ...rule,
    hosts: rule.hosts?.filter(host => host !== NEW_HOST) ?? null,
  }));
  return { ...policy, rules: rules.filter(({ hosts }: { hosts: string[] | null }) => hosts?.length !== 0) };
}

/** Policies and configurations as somebody types them. */
export const config: Target = {
  name: 'config',
  summary:
    'changed policies and configurations: always a place and a reason; the fast reader; edits in place',
  shortRuns: 40,
  open: async scope => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-fuzz-'));
    scope.defer(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'sallyport.yaml');
    const daemon = property(
      'a configuration loads, or is refused with file, line and column',
      daemonTexts(),
      async text => {
        writeFileSync(file, text);
        const load = await loadDaemonConfig(file);
        // What was written is UTF-8, where a lone surrogate is something else.
        const read = Buffer.from(text)
          .toString('utf8')
          .replace(/^\ufeff/, '');
        if (load.ok) assertSaid(load.warnings, file, read);
        else {
          assert.ok(load.diagnostics.length > 0, 'refused without a word');
          assertSaid(load.diagnostics, file, read);
        }
        return undefined;
      },
    );
    const texts = policyTexts();
    return { properties: [loads(texts), daemon, readsAlike(texts), changesNothingElse(texts)], missing: [] };
  },
};
