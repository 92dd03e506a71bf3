import { FlowGroups } from './flow-groups.ts';
import type { Hostname } from './hostname.ts';
import { type Judged, ReplayJudge, type ReplaySettings, type Verdict } from './replay-judge.ts';
import { type SeenFlow, wasAllowed } from './seen-flow.ts';
import type { Seen } from './source-tally.ts';

/** `lost`: an allowed flow would be denied; `gained`: one that was not allowed would be. */
export type ChangeKind = 'lost' | 'gained' | 'other';

/** Flows alike in all that is said here. Plain data, fit for JSON. */
export interface FlowGroup extends Seen {
  /** Null where the client named none. */
  readonly hostname: Hostname | null;
  /** Of flows that named no host. */
  readonly destination: string | null;
  readonly port: number;
  /** Groups of the new policy that hold the sources. */
  readonly groups: readonly string[];
  /** By the new policy. */
  readonly verdict: Verdict;
}

export interface Change extends FlowGroup {
  readonly kind: ChangeKind;
  /** As the log has it. */
  readonly before: Verdict;
}

/** What a policy would make of the flows of a log. Counts are flows, folded ones too. */
export interface ReplayReport {
  readonly flows: number;
  readonly unchanged: number;
  readonly lost: number;
  readonly gained: number;
  readonly changedOtherwise: number;
  /** Not judged, because the source is no address or the hostname none. */
  readonly notJudged: { readonly source: number; readonly hostname: number };
  /** Lost ones first, then gained ones; most flows first. */
  readonly changes: readonly Change[];
  /** All that the policy does not allow, changed or not. */
  readonly enforceWouldDrop: {
    readonly flows: number;
    /** Most flows first. */
    readonly groups: readonly FlowGroup[];
  };
  /** Counted above, but in no list for want of room. */
  readonly notListed: number;
}

const KINDS: readonly ChangeKind[] = ['lost', 'gained', 'other'];

/** Holds the flows of a log against a policy. */
export class Replay {
  readonly #judge: ReplayJudge;
  readonly #changes = new FlowGroups<Omit<Change, keyof Seen>>();
  readonly #drops = new FlowGroups<Omit<FlowGroup, keyof Seen>>();
  readonly #notJudged = { source: 0, hostname: 0 };
  readonly #counts = { lost: 0, gained: 0, other: 0 };
  #flows = 0;
  #dropped = 0;

  constructor(settings: ReplaySettings) {
    this.#judge = new ReplayJudge(settings);
  }

  add(flow: SeenFlow): void {
    this.#flows += flow.flows;
    const judged = this.#judge.judge(flow);
    if (typeof judged === 'string') {
      this.#notJudged[judged] += flow.flows;
      return;
    }
    const kind = changeKind(flow, judged.verdict);
    const isDropped = judged.verdict.state !== 'MATCHED';
    if (kind === null && !isDropped) return;
    const key = keyOf(flow, judged);
    if (kind !== null) {
      this.#counts[kind] += flow.flows;
      this.#changes.add(`${key}\n${textOf(flow)}`, flow, () => ({
        kind,
        before: verdictOf(flow),
        ...groupOf(flow, judged),
      }));
    }
    if (isDropped) {
      this.#dropped += flow.flows;
      this.#drops.add(key, flow, () => groupOf(flow, judged));
    }
  }

  report(): ReplayReport {
    const { lost, gained, other } = this.#counts;
    const { source, hostname } = this.#notJudged;
    return {
      flows: this.#flows,
      unchanged: this.#flows - lost - gained - other - source - hostname,
      lost,
      gained,
      changedOtherwise: other,
      notJudged: { source, hostname },
      changes: this.#changes
        .list()
        .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || inOrder(a, b)),
      enforceWouldDrop: { flows: this.#dropped, groups: this.#drops.list().sort(inOrder) },
      notListed: this.#changes.notListed + this.#drops.notListed,
    };
  }
}

function changeKind(flow: SeenFlow, { state }: Verdict): ChangeKind | null {
  if (flow.state === state) return null;
  if (wasAllowed(flow)) return 'lost';
  return state === 'MATCHED' ? 'gained' : 'other';
}

function groupOf({ destination, port }: SeenFlow, { hostname, groups, verdict }: Judged) {
  return {
    hostname,
    destination: hostname === null ? destination : null,
    port,
    groups,
    verdict: verdictOf(verdict),
  };
}

function verdictOf({ state, reason, rule }: Verdict): Verdict {
  return { state, reason, rule };
}

/** A log whose rules hold line breaks could make two groups one; the counts stay right. */
function keyOf({ destination, port }: SeenFlow, { hostname, groups, verdict }: Judged): string {
  return `${hostname ?? `\n${destination}`}\n${port}\n${groups.join(' ')}\n${textOf(verdict)}`;
}

function textOf({ state, reason, rule }: Verdict): string {
  return `${state}\n${reason}\n${rule}`;
}

/** Most flows first; equal ones by what they are, so that the order is the same whatever the log's was. */
function inOrder(a: FlowGroup, b: FlowGroup): number {
  if (a.flows !== b.flows) return b.flows - a.flows;
  const [left, right] = [a, b].map(({ hostname, destination, port, groups, verdict }) =>
    JSON.stringify([hostname, destination, port, groups, textOf(verdict)]),
  );
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
