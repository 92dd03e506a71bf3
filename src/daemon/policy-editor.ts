import { basename } from 'node:path';
import type { ReloadOutcome } from '../admin/daemon-api.ts';
import type {
  ChangeOutcome,
  ChangeReport,
  ChangeRequest,
  PolicyChanges,
  Refusal,
} from '../admin/policy-changes.ts';
import { formatDiagnostic } from '../config/diagnostics.ts';
import type { SoonerEnforced } from '../config/enforcement.ts';
import type { ChangePlan, FileWrite, PlannedChange, PolicyChange } from '../config/plan-change.ts';
import { hashSources, readPolicySources } from '../config/read-file.ts';
import { replaceFile, sha256Of } from '../config/replace-file.ts';
import type { AuditTrail } from '../observe/audit.ts';
import { READINESS_DEFAULTS } from '../observe/readiness.ts';

const DAY_MS = 86_400_000;
/** Changes that wait for those before them. */
const MAX_WAITING = 64;

export interface PolicyEditorOptions {
  /** A file or a directory. */
  readonly path: string;
  readonly plan: (path: string, change: PolicyChange) => Promise<ChangePlan>;
  /** Lets the daemon read the policy again; null: no daemon is told. */
  readonly reload: ((trigger: string) => Promise<ReloadOutcome>) | null;
  /** What speaks against enforcing, for a source group or for all; empty: nothing does, null: nobody can tell. */
  readonly obstacles: (source: string | null) => Promise<readonly string[] | null>;
  readonly audit: Pick<AuditTrail, 'record'> | null;
  readonly replace?: typeof replaceFile;
  /** Epoch milliseconds; default `Date.now`. */
  readonly now?: () => number;
}

/**
 * Changes the policy where it lies: works the change out, writes the files that change, lets the daemon take them, and
 * puts the old ones back when it does not. One change after the other.
 */
export class PolicyEditor implements PolicyChanges {
  readonly #options: PolicyEditorOptions;
  readonly #replace: typeof replaceFile;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: PolicyEditorOptions) {
    this.#options = options;
    this.#replace = options.replace ?? replaceFile;
  }

  async read(): ReturnType<PolicyChanges['read']> {
    const { path } = this.#options;
    const read = await readPolicySources(path);
    if (!read.ok) return { ok: false, error: formatDiagnostic(read.diagnostic) };
    return {
      ok: true,
      isDirectory: read.value.files[0]?.file !== path,
      sha256: hashSources(read.value),
      files: read.value.files.map(({ file, bytes }) => ({
        name: basename(file),
        sha256: sha256Of(bytes),
        bytes,
      })),
    };
  }

  async change(change: PolicyChange, request: ChangeRequest): Promise<ChangeOutcome> {
    if (this.#waiting >= MAX_WAITING)
      return refused('busy', ['too many changes are waiting (try again)'], '');
    this.#waiting++;
    const outcome = this.#last
      .then(() => this.#change(change, request))
      .finally(() => {
        this.#waiting--;
      });
    this.#last = outcome.catch(() => {});
    return outcome;
  }

  async #change(change: PolicyChange, request: ChangeRequest): Promise<ChangeOutcome> {
    const { path, plan } = this.#options;
    const planned = await plan(path, change);
    const outcome = planned.ok
      ? await this.#make(planned, change, request)
      : refused(planned.reason, planned.errors, '');
    this.#record(change, request, planned, outcome);
    return outcome;
  }

  async #make(planned: PlannedChange, change: PolicyChange, request: ChangeRequest): Promise<ChangeOutcome> {
    const report = reportOf(planned);
    const { ifMatch, dryRun, force } = request;
    const [etag] = planned.etags;
    if (ifMatch !== null && !planned.etags.some(each => ifMatch.includes(each))) {
      return refused(
        'changed',
        [`the policy is not the one that was meant: it has the hash ${etag}`],
        report.diff,
      );
    }
    if (planned.writes.length === 0) return { ...report, result: 'unchanged' };
    const obstacles = force ? [] : await this.#obstacles(planned.sooner, change.kind);
    if (obstacles.length > 0) return refused('not_ready', obstacles, report.diff);
    if (dryRun) return { ...report, result: 'planned', etag };
    return this.#apply(planned, report);
  }

  /** What speaks against enforcing whom a change enforces before they were watched for as long as readiness asks. */
  async #obstacles(
    sooner: readonly SoonerEnforced[],
    kind: PolicyChange['kind'],
  ): Promise<readonly string[]> {
    const watchedMs = (this.#options.now?.() ?? Date.now()) + READINESS_DEFAULTS.minDays * DAY_MS;
    const sources = sooner.filter(({ fromMs }) => fromMs < watchedMs).map(({ source }) => source);
    const fix = `${kind === 'replace' ? '?force=true' : '--force'} enforces all the same`;
    const found = new Set<string>();
    // The policy itself stands for all of its groups.
    for (const source of sources.includes(null) ? [null] : sources) {
      const obstacles = await this.#options.obstacles(source);
      if (obstacles === null) return [`nobody can tell what enforcing would refuse (${fix})`];
      for (const obstacle of obstacles) found.add(obstacle);
    }
    return found.size === 0 ? [] : [...found, `enforcing is not ready (${fix})`];
  }

  async #apply(planned: PlannedChange, report: ChangeReport): Promise<ChangeOutcome> {
    const written = await this.#write(planned.writes);
    if (!written.ok) return refused(written.refusal, written.errors, report.diff);
    const reloaded = await this.#options.reload?.('edit');
    if (reloaded === undefined) return { ...report, result: 'applied', policy: null };
    if (reloaded.result === 'failure') {
      const restored = await this.#restore(planned.writes);
      await this.#options.reload?.('edit');
      const outcome = restored.length === 0 ? ['the daemon did not take it: the old text is back'] : restored;
      return refused('not_loaded', [...reloaded.errors, ...outcome], report.diff);
    }
    return { ...report, result: 'applied', policy: reloaded.policy };
  }

  /** All files, or none. */
  async #write(
    writes: readonly FileWrite[],
  ): Promise<{ ok: true } | { ok: false; refusal: Refusal; errors: readonly string[] }> {
    for (const [i, { file, bytes, sha256 }] of writes.entries()) {
      const replaced = await this.#replace(file, bytes, sha256);
      if (replaced.ok) continue;
      const restored = i === 0 ? [] : await this.#restore(writes.slice(0, i));
      return { ok: false, refusal: replaced.reason, errors: [...restored, replaced.message] };
    }
    return { ok: true };
  }

  /** Puts the old content back, and says where that failed. */
  async #restore(writes: readonly FileWrite[]): Promise<readonly string[]> {
    const failures: string[] = [];
    for (const { file, old, bytes } of writes) {
      const restored = await this.#replace(file, old, sha256Of(bytes));
      if (!restored.ok) failures.push(`the old text could not be put back: ${restored.message}`);
    }
    return failures;
  }

  #record(
    change: PolicyChange,
    { by, dryRun }: ChangeRequest,
    planned: ChangePlan,
    outcome: ChangeOutcome,
  ): void {
    const isRefused = outcome.result === 'refused';
    // Commands plan before they change: what is refused is refused there.
    if (outcome.result === 'planned' || (dryRun && !isRefused)) return;
    this.#options.audit?.record({
      action: actionOf(change),
      dryRun,
      result: outcome.result,
      refusal: isRefused ? `${outcome.refusal}: ${outcome.errors.at(-1) ?? ''}` : null,
      ...by,
      before: planned.ok ? planned.before : null,
      after: planned.ok ? planned.after : null,
      added: planned.ok ? planned.diff.added : 0,
      removed: planned.ok ? planned.diff.removed : 0,
      changes: planned.ok ? planned.changes : [],
    });
  }
}

/** As the command is called that asks for it. */
function actionOf(change: PolicyChange): string {
  switch (change.kind) {
    case 'mode':
      return 'mode';
    case 'add':
      return change.action;
    case 'remove':
      return `${change.action} --remove`;
    case 'replace':
      return 'replace';
    default:
      return change satisfies never;
  }
}

function reportOf({ before, after, diff, changes, notes, warnings }: PlannedChange): ChangeReport {
  return { before, after, diff: diff.text, changes, notes, warnings };
}

function refused(refusal: Refusal, errors: readonly string[], diff: string): ChangeOutcome {
  return { result: 'refused', refusal, errors, diff };
}
