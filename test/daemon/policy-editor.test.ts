import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ReloadOutcome } from '../../src/admin/daemon-api.ts';
import type { ChangeOutcome, ChangeRequest } from '../../src/admin/policy-changes.ts';
import { type PolicyChange, planChange } from '../../src/config/plan-change.ts';
import { replaceFile } from '../../src/config/replace-file.ts';
import { PolicyEditor, type PolicyEditorOptions } from '../../src/daemon/policy-editor.ts';
import type { AuditEntry } from '../../src/observe/audit.ts';
import { STATUS } from '../admin/support.ts';

const NOW = Date.UTC(2026, 10, 21);
const OBSERVE = 'version: 1\nmode: observe # so far\nrules: []\n';
const ENFORCE = OBSERVE.replace('observe', 'enforce');

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-editor-'));
  path = join(directory, 'policy.yaml');
  writeFileSync(path, OBSERVE);
});
afterEach(() => rmSync(directory, { recursive: true }));

const enforce: PolicyChange = { kind: 'mode', mode: 'enforce', source: null, until: null };
const put = (text: string, file: string | null = null): PolicyChange => ({ kind: 'replace', file, text });
const asked = (more: Partial<ChangeRequest> = {}): ChangeRequest => ({
  ifMatch: null,
  dryRun: false,
  force: true,
  by: { peer: '127.0.0.1:5', auth: 'token', user: 'ann' },
  ...more,
});

/** A daemon that takes whatever lies there, unless `failure` says why not. */
function editorOf(more: Partial<PolicyEditorOptions> = {}, failure: string[] = []) {
  const audited: AuditEntry[] = [];
  const reloads: string[] = [];
  const editor = new PolicyEditor({
    path,
    plan: (policy, change) => planChange(policy, change, NOW),
    reload: async (): Promise<ReloadOutcome> => {
      reloads.push(readFileSync(path, 'utf8'));
      const error = failure.shift();
      if (error !== undefined) return { result: 'failure', policy: STATUS.policy, errors: [error] };
      const plan = await planChange(path, put(readFileSync(path, 'utf8')), NOW);
      const sha256 = plan.ok ? plan.before : '';
      return { result: 'success', policy: { ...STATUS.policy, sha256 }, warnings: [] };
    },
    obstacles: async () => [],
    audit: { record: entry => void audited.push(entry) },
    ...more,
  });
  return { editor, audited, reloads };
}

const refusalOf = (outcome: ChangeOutcome) =>
  outcome.result === 'refused' ? [outcome.refusal, outcome.errors.at(-1)] : outcome.result;

describe('a change', () => {
  it('is written, loaded, told and recorded', async () => {
    const { editor, audited, reloads } = editorOf();
    const outcome = await editor.change(enforce, asked());
    expect(outcome).toMatchObject({
      result: 'applied',
      changes: ['mode observe -> enforce'],
      warnings: [],
      policy: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect([readFileSync(path, 'utf8'), reloads]).toEqual([ENFORCE, [ENFORCE]]);
    expect(audited).toEqual([
      {
        action: 'mode',
        dryRun: false,
        result: 'applied',
        refusal: null,
        peer: '127.0.0.1:5',
        auth: 'token',
        user: 'ann',
        before: outcome.result === 'applied' ? outcome.before : '',
        after: outcome.result === 'applied' ? outcome.policy?.sha256 : '',
        added: 1,
        removed: 1,
        changes: ['mode observe -> enforce'],
      },
    ]);
  });

  it('that is planned only writes and records nothing, and says by which ETag it is made', async () => {
    const { editor, audited, reloads } = editorOf();
    const planned = await editor.change(enforce, asked({ dryRun: true }));
    expect(planned).toMatchObject({
      result: 'planned',
      diff: expect.stringContaining('+mode: enforce # so far'),
    });
    expect([readFileSync(path, 'utf8'), reloads, audited]).toEqual([OBSERVE, [], []]);
    const ifMatch = planned.result === 'planned' ? [planned.etag] : [];
    expect(await editor.change(enforce, asked({ ifMatch }))).toMatchObject({ result: 'applied' });
  });

  it('that changes nothing is none', async () => {
    const { editor, reloads } = editorOf();
    const observe: PolicyChange = { ...enforce, mode: 'observe' };
    expect(await editor.change(observe, asked())).toMatchObject({
      result: 'unchanged',
      notes: ['mode is observe already'],
    });
    expect(reloads).toEqual([]);
  });

  it('that is refused is recorded when it is planned, for commands go no further', async () => {
    const { editor, audited } = editorOf({ obstacles: async () => ['no weekend was watched'] });
    await editor.change(enforce, asked({ dryRun: true, force: false }));
    expect(audited).toMatchObject([{ action: 'mode', dryRun: true, result: 'refused' }]);
  });

  it('keeps a byte order mark, or takes the one that is given', async () => {
    writeFileSync(path, `\uFEFF${OBSERVE}`);
    const { editor } = editorOf({ reload: null });
    expect(await editor.change(enforce, asked())).toMatchObject({ result: 'applied' });
    expect(readFileSync(path, 'utf8')).toBe(`\uFEFF${ENFORCE}`);
    expect(await editor.change(put(ENFORCE), asked())).toMatchObject({ result: 'applied', changes: [] });
    expect(readFileSync(path, 'utf8')).toBe(ENFORCE);
    expect(await editor.change(put(`\uFEFF${ENFORCE}`), asked())).toMatchObject({ result: 'applied' });
    expect(readFileSync(path, 'utf8')).toBe(`\uFEFF${ENFORCE}`);
  });

  it('is refused when the policy is another than was meant', async () => {
    const { editor, audited } = editorOf();
    const outcome = await editor.change(enforce, asked({ ifMatch: ['ab'.repeat(32)] }));
    expect(refusalOf(outcome)).toEqual(['changed', expect.stringContaining('not the one that was meant')]);
    expect(readFileSync(path, 'utf8')).toBe(OBSERVE);
    expect(audited).toMatchObject([{ result: 'refused', refusal: expect.stringContaining('changed: ') }]);
  });

  it('is refused when the file changes between the plan and the writing', async () => {
    const { editor } = editorOf({
      plan: async (policy, change) => {
        const plan = await planChange(policy, change, NOW);
        writeFileSync(path, `${OBSERVE}# by hand\n`);
        return plan;
      },
    });
    expect(refusalOf(await editor.change(enforce, asked()))).toEqual([
      'changed',
      `${path} was changed meanwhile (look at it, and try again)`,
    ]);
    expect(readFileSync(path, 'utf8')).toBe(`${OBSERVE}# by hand\n`);
  });

  it('is taken back when the daemon does not take it', async () => {
    const { editor, audited, reloads } = editorOf({}, ['no memory left']);
    const outcome = await editor.change(enforce, asked());
    expect(outcome).toMatchObject({
      result: 'refused',
      refusal: 'not_loaded',
      errors: ['no memory left', 'the daemon did not take it: the old text is back'],
    });
    expect([readFileSync(path, 'utf8'), reloads]).toEqual([OBSERVE, [ENFORCE, OBSERVE]]);
    expect(audited).toMatchObject([{ result: 'refused' }]);
  });

  it('is not taken back over what somebody else has written since', async () => {
    const { editor } = editorOf({
      reload: async () => {
        writeFileSync(path, `${ENFORCE}# by hand\n`);
        return { result: 'failure', policy: STATUS.policy, errors: ['no'] };
      },
    });
    const outcome = await editor.change(enforce, asked());
    expect(refusalOf(outcome)).toEqual([
      'not_loaded',
      `the old text could not be put back: ${path} was changed meanwhile (look at it, and try again)`,
    ]);
    expect(readFileSync(path, 'utf8')).toBe(`${ENFORCE}# by hand\n`);
  });

  it('says what the daemon runs when it was overtaken before that read it', async () => {
    const { editor } = editorOf({
      reload: async () => ({ result: 'success', policy: STATUS.policy, warnings: [] }),
    });
    const outcome = await editor.change(enforce, asked());
    expect(outcome).toMatchObject({ result: 'applied', policy: STATUS.policy });
    expect(outcome.result === 'applied' && outcome.after).not.toBe(STATUS.policy.sha256);
  });

  it('that does not load is not written', async () => {
    const { editor } = editorOf();
    const outcome = await editor.change(put('version: 1\nrules: [{ name: a, hosts: [a..b] }]\n'), asked());
    expect(refusalOf(outcome)).toEqual(['invalid', 'the policy would not load any more']);
    expect(readFileSync(path, 'utf8')).toBe(OBSERVE);
  });

  it('replaces a policy that does not load', async () => {
    writeFileSync(path, 'version: 2\n');
    const { editor } = editorOf();
    expect(await editor.change(put(OBSERVE), asked())).toMatchObject({
      result: 'applied',
      changes: ['a policy that did not load is replaced'],
    });
    expect(readFileSync(path, 'utf8')).toBe(OBSERVE);
  });

  it('is made one after the other, each on what the one before has left', async () => {
    const { editor } = editorOf();
    const hosts = Array.from({ length: 10 }, (_, i) => `h${i}.example`);
    const outcomes = await Promise.all(
      hosts.map(host => {
        const parts = { rule: null, ports: null, from: null, until: null };
        return editor.change({ kind: 'add', action: 'allow', hosts: [host], ...parts }, asked());
      }),
    );
    expect(outcomes.map(({ result }) => result)).toEqual(hosts.map(() => 'applied'));
    for (const host of hosts) expect(readFileSync(path, 'utf8')).toContain(`- ${host}\n`);
  });
});

describe('enforcing', () => {
  it.each<[string, readonly string[] | null, boolean, unknown]>([
    ['is let through when readiness says yes', [], false, 'applied'],
    [
      'is refused when readiness says no',
      ['(other): no weekend was watched'],
      false,
      ['not_ready', 'enforcing is not ready (--force enforces all the same)'],
    ],
    [
      'is refused when nobody can tell',
      null,
      false,
      ['not_ready', 'nobody can tell what enforcing would refuse (--force enforces all the same)'],
    ],
    ['is let through by force', ['(other): no weekend was watched'], true, 'applied'],
  ])('%s', async (_, obstacles, force, expected) => {
    const { editor } = editorOf({ obstacles: async () => obstacles });
    expect(refusalOf(await editor.change(enforce, asked({ force })))).toEqual(expected);
    expect(readFileSync(path, 'utf8')).toBe(expected === 'applied' ? ENFORCE : OBSERVE);
  });

  it.each([
    ['2027-01-14', 'not_ready'],
    ['2027-01-16', null],
  ])('at a date asks readiness as well when it is near: %s', async (until, expected) => {
    const { editor } = editorOf({
      obstacles: async () => ['(other): no weekend was watched'],
      now: () => Date.UTC(2027, 0, 1),
    });
    const outcome = await editor.change(
      { kind: 'mode', mode: 'observe', source: null, until },
      asked({ force: false }),
    );
    expect(outcome.result === 'refused' ? outcome.refusal : null).toBe(expected);
  });
});

describe('a policy that is replaced by one that enforces', () => {
  const GROUPS = (
    mode: string,
    build: string,
    legacy = '  legacy: { cidrs: [10.9.0.0/16], mode: observe }\n',
  ) =>
    `version: 1\nmode: ${mode}\nsources:\n  build: { cidrs: [10.4.0.0/16], mode: ${build} }\n${legacy}rules: []\n`;
  const OBSERVED = GROUPS('observe', 'observe');

  it.each<[string, string, string, unknown]>([
    ['all', OBSERVED, GROUPS('enforce', 'observe'), [null]],
    ['all, soon', OBSERVED, OBSERVED.replace('observe\n', 'observe\nobserveUntil: 2026-12-01\n'), [null]],
    ['a group', OBSERVED, GROUPS('observe', 'enforce'), ['build']],
    ['a group and all', OBSERVED, GROUPS('enforce', 'enforce'), [null]],
    [
      'more of a group',
      GROUPS('observe', 'enforce'),
      GROUPS('observe', 'enforce').replace('/16', '/8'),
      ['build'],
    ],
    ['a group, for it is gone', GROUPS('enforce', 'enforce'), GROUPS('enforce', 'enforce', ''), ['legacy']],
    ['all, and what was before does not load', 'version: 2\n', ENFORCE, [null]],
    ['nobody else', GROUPS('enforce', 'observe'), `${GROUPS('enforce', 'observe')}# more\n`, []],
    ['nobody', OBSERVED, OBSERVE, []],
    ['all, in a year', OBSERVED, OBSERVED.replace('observe\n', 'observe\nobserveUntil: 2027-12-01\n'), []],
    ['nobody any more', ENFORCE, OBSERVE, []],
  ])('asks readiness for whom it enforces: %s', async (_, before, after, expected) => {
    writeFileSync(path, before);
    const sources: unknown[] = [];
    const { editor } = editorOf({
      now: () => NOW,
      obstacles: async source => {
        sources.push(source);
        return ['no weekend was watched'];
      },
    });
    const outcome = await editor.change(put(after), asked({ force: false }));
    expect([sources, readFileSync(path, 'utf8') === after]).toEqual([expected, sources.length === 0]);
    if (sources.length > 0)
      expect(refusalOf(outcome)).toEqual([
        'not_ready',
        'enforcing is not ready (?force=true enforces all the same)',
      ]);
    expect(await editor.change(put(after), asked())).toMatchObject({
      result: sources.length === 0 ? 'unchanged' : 'applied',
    });
  });
});

describe('changes that come faster than they can be made', () => {
  it('are refused from the sixty-fifth on, and none is lost', async () => {
    const { editor } = editorOf({ reload: null });
    const changes = Array.from({ length: 70 }, (_, i) => editor.change(put(`${OBSERVE}# ${i}\n`), asked()));
    const outcomes = await Promise.all(changes);
    expect(outcomes.map(refusalOf).filter(outcome => outcome !== 'applied')).toEqual(
      Array.from({ length: 6 }, () => ['busy', 'too many changes are waiting (try again)']),
    );
    expect(await editor.change(put(ENFORCE), asked())).toMatchObject({ result: 'applied' });
  });
});

describe('a policy in a directory', () => {
  beforeEach(() => {
    path = join(directory, 'policy.d');
    mkdirSync(path);
    writeFileSync(join(path, 'a.yaml'), OBSERVE);
    writeFileSync(join(path, 'b.yaml'), OBSERVE);
  });
  const texts = () => readdirSync(path).map(name => readFileSync(join(path, name), 'utf8'));

  it('changes in all its files, or in none', async () => {
    let written = 0;
    const { editor } = editorOf({
      replace: (file, bytes, sha256) =>
        ++written === 2
          ? Promise.resolve({ ok: false, reason: 'unwritable', message: `${file} is locked` })
          : replaceFile(file, bytes, sha256),
    });
    expect(refusalOf(await editor.change(enforce, asked()))).toEqual([
      'unwritable',
      `${join(path, 'b.yaml')} is locked`,
    ]);
    expect(texts()).toEqual([OBSERVE, OBSERVE]);
    const { editor: another } = editorOf({ reload: null });
    expect(await another.change(enforce, asked())).toMatchObject({ result: 'applied', policy: null });
    expect(texts()).toEqual([ENFORCE, ENFORCE]);
  });

  it('is read and replaced file by file', async () => {
    const { editor } = editorOf({ reload: null });
    const read = await editor.read();
    if (!read.ok) throw new Error(read.error);
    expect([read.isDirectory, read.files.map(({ name }) => name)]).toEqual([true, ['a.yaml', 'b.yaml']]);
    expect(refusalOf(await editor.change(put(OBSERVE), asked()))).toEqual([
      'missing',
      `${path} is a directory: name one of its files (a.yaml, b.yaml)`,
    ]);
    expect(refusalOf(await editor.change(put(OBSERVE, '../b.yaml'), asked()))).toEqual([
      'missing',
      'the policy has no file "../b.yaml" (it has a.yaml, b.yaml)',
    ]);
    const ifMatch = [read.files[1]?.sha256 ?? ''];
    const text = 'version: 1\nrules: []\n';
    expect(await editor.change(put(text, 'b.yaml'), asked({ ifMatch }))).toMatchObject({ result: 'applied' });
    expect(texts()).toEqual([OBSERVE, text]);
  });
});
