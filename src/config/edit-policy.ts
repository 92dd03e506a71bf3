import { type Diagnostic, formatDiagnostic } from './diagnostics.ts';
import { addHosts, removeHosts } from './edit-hosts.ts';
import { changeMode } from './edit-mode.ts';
import { type SoonerEnforced, soonerEnforced } from './enforcement.ts';
import { type PolicyLoad, parsePolicySources } from './load.ts';
import { describePolicyChange } from './policy-change.ts';
import type { PolicyDefaults } from './policy-defaults.ts';
import { EditFault, type PlannedEdits, type PolicyEdit } from './policy-edit.ts';
import { type PolicyFile, readPolicyFile } from './policy-file.ts';
import type { PolicySources, SourceFile } from './read-file.ts';
import { editYaml } from './yaml-edit.ts';

export interface PolicyPlan {
  /** The whole policy with the edit in it; the same as before where nothing changes. */
  readonly sources: PolicySources;
  readonly changes: readonly string[];
  readonly sooner: readonly SoonerEnforced[];
  readonly notes: readonly string[];
  /** Warnings that the policy did not have before. */
  readonly warnings: readonly string[];
}

export type PlanResult =
  | { readonly ok: true; readonly plan: PolicyPlan }
  | { readonly ok: false; readonly errors: readonly string[] };

/**
 * Works an edit into the text of a policy without a change to anything else in it, and loads the result. Refuses what
 * does not load before or after, and what cannot be written in place.
 */
export async function planPolicyEdit(
  sources: PolicySources,
  edit: PolicyEdit,
  nowMs: number,
  defaults: PolicyDefaults = {},
): Promise<PlanResult> {
  const before = await parsePolicySources(sources, nowMs, defaults);
  if (!before.ok) return failure('the policy has errors already, mend them first', before.diagnostics);
  const files = sources.files
    .map(source => readPolicyFile(source))
    .flatMap(read => (read.ok ? [read.file] : []));
  const planned = planEdits(files, edit, nowMs);
  if (!planned.ok) return planned;
  const edited: SourceFile[] = [];
  for (const source of sources.files) {
    const result = editYaml(source.text, planned.edits.get(source.file) ?? []);
    if (!result.ok) {
      const place = `${source.file}:${result.line}:${result.col}`;
      return { ok: false, errors: [`${place}: ${result.message} (${byHand(edit)})`] };
    }
    edited.push(withText(source, result.text));
  }
  return judge(before, { ...sources, files: edited }, planned.notes, nowMs, defaults);
}

/** Holds a policy with another text in place of one of its files against what it was. */
export async function planReplacement(
  sources: PolicySources,
  edited: PolicySources,
  nowMs: number,
  defaults: PolicyDefaults = {},
): Promise<PlanResult> {
  return judge(await parsePolicySources(sources, nowMs, defaults), edited, [], nowMs, defaults);
}

async function judge(
  before: PolicyLoad,
  edited: PolicySources,
  notes: readonly string[],
  nowMs: number,
  defaults: PolicyDefaults,
): Promise<PlanResult> {
  const after = await parsePolicySources(edited, nowMs, defaults);
  if (!after.ok) return failure('the policy would not load any more', after.diagnostics);
  return {
    ok: true,
    plan: {
      sources: edited,
      changes: before.ok
        ? describePolicyChange(before.policy, after.policy)
        : ['a policy that did not load is replaced'],
      sooner: soonerEnforced(before.ok ? before.policy : null, after.policy),
      notes,
      warnings: newWarnings(before.ok ? before.warnings : [], after.warnings),
    },
  };
}

/** The same file with another text, and the byte order mark it had. */
export function withText(source: SourceFile, text: string): SourceFile {
  if (text === source.text) return source;
  const hadMark = [0xef, 0xbb, 0xbf].every((byte, i) => source.bytes[i] === byte);
  return { ...source, text, bytes: new TextEncoder().encode(hadMark ? `\uFEFF${text}` : text) };
}

function planEdits(
  files: readonly PolicyFile[],
  edit: PolicyEdit,
  nowMs: number,
): ({ readonly ok: true } & PlannedEdits) | Extract<PlanResult, { ok: false }> {
  try {
    switch (edit.kind) {
      case 'mode':
        return { ok: true, ...changeMode(files, edit, nowMs) };
      case 'add':
        return { ok: true, ...addHosts(files, edit) };
      case 'remove':
        return { ok: true, ...removeHosts(files, edit) };
      default:
        return edit satisfies never;
    }
  } catch (error) {
    if (!(error instanceof EditFault)) throw error;
    return { ok: false, errors: [error.message] };
  }
}

/** What an operator writes instead. */
function byHand(edit: PolicyEdit): string {
  switch (edit.kind) {
    case 'mode': {
      const until = edit.until === null ? '' : ` and observeUntil: ${edit.until}`;
      const where = edit.source === null ? '' : ` in sources.${edit.source}`;
      return `write mode: ${edit.mode}${until}${where} there by hand`;
    }
    case 'add':
      return `add ${edit.hosts.join(', ')} there by hand`;
    case 'remove':
      return `remove ${edit.hosts.join(', ')} there by hand`;
    default:
      return edit satisfies never;
  }
}

function failure(message: string, diagnostics: readonly Diagnostic[]): Extract<PlanResult, { ok: false }> {
  return { ok: false, errors: [...diagnostics.map(formatDiagnostic), message] };
}

function newWarnings(before: readonly Diagnostic[], after: readonly Diagnostic[]): string[] {
  const said = new Set(before.map(({ path, message }) => `${path}: ${message}`));
  return after.filter(({ path, message }) => !said.has(`${path}: ${message}`)).map(formatDiagnostic);
}
