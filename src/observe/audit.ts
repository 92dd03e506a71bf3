import type { Log, LogFields } from './log.ts';

/** Refused requests are said so often in a minute; what is beyond that is counted. */
const REFUSALS_A_MINUTE = 20;
const MINUTE_MS = 60_000;
/** Names that somebody gives themselves. */
const MAX_CHARS = 128;

/** One change of what is in force, or an attempt at one. */
export interface AuditEntry {
  /** What was asked for: `mode`, `allow`, `POST /-/reload`. */
  readonly action: string;
  /** Nothing would have been written, had it not been refused. */
  readonly dryRun: boolean;
  readonly result: 'applied' | 'unchanged' | 'refused';
  /** Why it was refused; null when it was not. */
  readonly refusal: string | null;
  readonly peer: string | null;
  /** `token` or `loopback`; `none` when that was why it was refused. */
  readonly auth: string;
  /** A claim. */
  readonly user: string | null;
  readonly before: string | null;
  readonly after: string | null;
  readonly added: number;
  readonly removed: number;
  readonly changes: readonly string[];
}

/** Writes who changed what, whatever the log level: one line for each change, and for each attempt up to a rate. */
export class AuditTrail {
  readonly #log: Pick<Log, 'audit'>;
  readonly #now: () => number;
  #windowMs = Number.NEGATIVE_INFINITY;
  #said = 0;
  #suppressed = 0;

  constructor(log: Pick<Log, 'audit'>, now = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  record(entry: AuditEntry): void {
    if (entry.result === 'refused' && this.#isTooMuch()) {
      this.#suppressed++;
      return;
    }
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    this.#log.audit(messageOf(entry), { ...fieldsOf(entry), ...(suppressed === 0 ? {} : { suppressed }) });
  }

  #isTooMuch(): boolean {
    const now = this.#now();
    if (now - this.#windowMs >= MINUTE_MS) {
      this.#windowMs = now;
      this.#said = 0;
    }
    return ++this.#said > REFUSALS_A_MINUTE;
  }
}

function messageOf({ action, result, refusal, user, peer }: AuditEntry): string {
  const why = refusal === null ? '' : ` (${bounded(refusal)})`;
  return `${bounded(action)} ${result}${why} for ${bounded(user ?? 'somebody')} at ${peer ?? 'no address'}`;
}

function fieldsOf(entry: AuditEntry): LogFields {
  const { action, dryRun, result, refusal, peer, auth, user, before, after, added, removed, changes } = entry;
  return {
    event: 'audit',
    action: bounded(action),
    dry_run: dryRun,
    result,
    refusal: refusal === null ? null : bounded(refusal),
    peer,
    auth,
    claimed_user: user === null ? null : bounded(user),
    old_sha256: before,
    new_sha256: after,
    lines_added: added,
    lines_removed: removed,
    changes: changes.map(text => bounded(text, 4 * MAX_CHARS)),
  };
}

function bounded(text: string, max = MAX_CHARS): string {
  return text.length <= max ? text : `${text.slice(0, max)}…`;
}
