import { basename } from 'node:path';
import { formatDiagnostic } from './diagnostics.ts';
import { type PlanResult, planPolicyEdit, planReplacement } from './edit-policy.ts';
import type { SoonerEnforced } from './enforcement.ts';
import { type Diff, unifiedDiff } from './line-diff.ts';
import type { PolicyDefaults } from './policy-defaults.ts';
import type { PolicyEdit } from './policy-edit.ts';
import { hashSources, type PolicySources, readPolicySources, type SourceFile } from './read-file.ts';
import { sha256Of } from './replace-file.ts';

/** A change of the policy: an edit in place, or another text for one of its files. */
export type PolicyChange = PolicyEdit | PolicyReplacement;

export interface PolicyReplacement {
  readonly kind: 'replace';
  /** The name of a file in a directory of policies; null: the one file that the policy is. */
  readonly file: string | null;
  /** With its byte order mark, if it has one. */
  readonly text: string;
}

/** A change that is ready to be written. Plain data: it is worked out in a thread of its own. */
export interface PlannedChange {
  readonly ok: true;
  /** What `If-Match` may say: the hash of the whole policy or, where that is one file, of that; of a replacement that of its file. */
  readonly etags: readonly [string, ...string[]];
  /** Hashes of the whole policy. */
  readonly before: string;
  readonly after: string;
  /** The files whose content changes. */
  readonly writes: readonly FileWrite[];
  /** Bounded. */
  readonly diff: Diff;
  readonly changes: readonly string[];
  /** Whom it enforces, or enforces sooner. */
  readonly sooner: readonly SoonerEnforced[];
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

export interface FileWrite {
  readonly file: string;
  readonly old: Uint8Array;
  readonly bytes: Uint8Array;
  /** Of `old`. */
  readonly sha256: string;
}

export type ChangePlan =
  | PlannedChange
  /** `missing`: there is no such file. */
  | { readonly ok: false; readonly reason: 'invalid' | 'missing'; readonly errors: readonly string[] };

/** A difference is there to be read. */
const MAX_DIFF_CHARS = 256 * 1024;
const MESSAGES_KEPT = 100;

/** Reads a policy and works a change into it, without writing anything. Never throws for what a file holds. */
export async function planChange(
  path: string,
  change: PolicyChange,
  nowMs: number,
  defaults: PolicyDefaults = {},
): Promise<ChangePlan> {
  const read = await readPolicySources(path);
  if (!read.ok) return { ok: false, reason: 'missing', errors: [formatDiagnostic(read.diagnostic)] };
  const sources = read.value;
  if (change.kind !== 'replace') {
    const own = sources.files.length === 1 ? sources.files.map(({ bytes }) => sha256Of(bytes)) : [];
    const plan = await planPolicyEdit(sources, change, nowMs, defaults);
    return finish(sources, [hashSources(sources), ...own], plan);
  }
  const { files } = sources;
  const target = files.find(({ file }) =>
    change.file === null ? files.length === 1 && file === path : basename(file) === change.file,
  );
  if (target === undefined) {
    return { ok: false, reason: 'missing', errors: [whichFile(path, files, change.file)] };
  }
  const edited = files.map(source => (source === target ? replaced(source, change.text) : source));
  const plan = await planReplacement(sources, { ...sources, files: edited }, nowMs, defaults);
  return finish(sources, [sha256Of(target.bytes)], plan);
}

function replaced({ file }: SourceFile, text: string): SourceFile {
  return { file, text: text.replace(/^\uFEFF/, ''), bytes: new TextEncoder().encode(text) };
}

function finish(sources: PolicySources, etags: PlannedChange['etags'], result: PlanResult): ChangePlan {
  if (!result.ok) return { ok: false, reason: 'invalid', errors: bounded(result.errors) };
  const { plan } = result;
  const changed = sources.files.flatMap((source, i) => {
    const edited = plan.sources.files[i] ?? source;
    return Buffer.compare(edited.bytes, source.bytes) === 0 ? [] : [{ source, edited }];
  });
  const diffs = changed.map(({ source, edited }) => unifiedDiff(source.file, source.text, edited.text));
  return {
    ok: true,
    etags,
    before: hashSources(sources),
    after: hashSources(plan.sources),
    writes: changed.map(({ source, edited }) => ({
      file: source.file,
      old: source.bytes,
      bytes: edited.bytes,
      sha256: sha256Of(source.bytes),
    })),
    diff: {
      text: shortened(diffs.map(({ text }) => text).join('')),
      added: diffs.reduce((sum, { added }) => sum + added, 0),
      removed: diffs.reduce((sum, { removed }) => sum + removed, 0),
    },
    changes: plan.changes,
    sooner: plan.sooner,
    notes: bounded(plan.notes),
    warnings: bounded(plan.warnings),
  };
}

function whichFile(path: string, sources: readonly SourceFile[], file: string | null): string {
  const names = sources.map(source => basename(source.file));
  if (file === null) return `${path} is a directory: name one of its files (${bounded(names).join(', ')})`;
  return `the policy has no file ${JSON.stringify(file)} (it has ${bounded(names).join(', ')})`;
}

function bounded(messages: readonly string[]): readonly string[] {
  const more = messages.length - MESSAGES_KEPT;
  return more <= 0 ? messages : [...messages.slice(0, MESSAGES_KEPT), `and ${more} more`];
}

function shortened(diff: string): string {
  if (diff.length <= MAX_DIFF_CHARS) return diff;
  const end = diff.lastIndexOf('\n', MAX_DIFF_CHARS) + 1;
  return `${diff.slice(0, end)}... and more: the difference is too long to be shown\n`;
}
