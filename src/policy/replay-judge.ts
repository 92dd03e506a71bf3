import { IpAddress } from './address.ts';
import type { Ruling, State } from './decision.ts';
import type { Hostname } from './hostname.ts';
import type { Policy } from './policy.ts';
import { remembered } from './remembered.ts';
import type { ParsedPolicy } from './rules.ts';
import { RulingMemo } from './ruling-memo.ts';
import type { SeenFlow } from './seen-flow.ts';
import { SourceGroups } from './source-groups.ts';

/** What is said of a flow, by the log or by the policy. */
export interface Verdict {
  readonly state: State;
  readonly reason: string | null;
  readonly rule: string | null;
}

/** What the destination guard says of an address. */
export type GuardWord = 'ok' | 'private' | 'forbidden';

export interface ReplaySettings {
  readonly parsed: ParsedPolicy;
  /** Compiled from `parsed`. */
  readonly policy: Policy;
  /** Epoch milliseconds to judge all flows at; null: each at its own time. */
  readonly atMs: number | null;
  /** For flows whose record names no time. */
  readonly nowMs: number;
  /** The destination guard of the daemon that will run the policy. */
  readonly guard: (address: IpAddress) => GuardWord;
}

/** A flow and what the policy would make of it. */
export interface Judged {
  readonly hostname: Hostname | null;
  readonly verdict: Verdict;
  /** The groups of the new policy that hold the source. */
  readonly groups: readonly string[];
}

/** Why a record cannot be judged. */
export type Unjudged = 'source' | 'hostname';

/** Said by the rules alone: they say it again, or do not. Any other reason is a guard's, a limit's or the wire's. */
const REASONS_OF_RULES = new Set(['not_allowed', 'rule_denied', 'ech', 'destination_forbidden']);

/** Judges flows of the past by a policy. */
export class ReplayJudge {
  readonly #settings: ReplaySettings;
  readonly #memo: RulingMemo;
  readonly #groups: SourceGroups;
  readonly #groupsOf = new Map<string, readonly string[]>();
  readonly #guarded = new Map<string, GuardWord>();

  constructor(settings: ReplaySettings) {
    this.#settings = settings;
    this.#memo = new RulingMemo(settings.parsed, settings.policy);
    this.#groups = new SourceGroups(settings.parsed.sources);
  }

  judge(flow: SeenFlow): Judged | Unjudged {
    const source = this.#memo.source(flow);
    if (source === null) return 'source';
    const { vpcEndpoint } = flow;
    const key = vpcEndpoint === undefined ? flow.source : `${flow.source} ${vpcEndpoint}`;
    const groups = remembered(this.#groupsOf, key, () => this.#groups.of(source.address, vpcEndpoint));
    // Without a name there is nothing to judge by: what was said stays.
    if (flow.hostname === null) return { hostname: null, verdict: flow, groups };
    const host = this.#memo.host(flow.hostname);
    if (host === null) return 'hostname';
    const nowMs = this.#settings.atMs ?? flow.timeMs ?? this.#settings.nowMs;
    const ruling = this.#memo.decide(host, flow.port, source, nowMs);
    return { hostname: host.hostname, verdict: this.#verdict(ruling, flow), groups };
  }

  /** The policy's ruling, and what would speak against the flow besides: what did so before, and the guard. */
  #verdict(ruling: Ruling, flow: SeenFlow): Verdict {
    const rule = ruling.rule < 0 ? null : this.#settings.policy.ruleName(ruling.rule);
    if (ruling.state !== 'MATCHED') return { state: ruling.state, reason: ruling.reason, rule };
    if (ruling.ech === 'deny' && (flow.ech || flow.reason === 'ech'))
      return { state: 'DENIED', reason: 'ech', rule };
    if (this.#isGuarded(ruling, flow)) return { state: 'DENIED', reason: 'destination_forbidden', rule };
    if (flow.reason === 'unresolvable') return { state: 'MATCHED', reason: 'unresolvable', rule };
    if (flow.reason !== null && !REASONS_OF_RULES.has(flow.reason))
      return { state: 'DENIED', reason: flow.reason, rule };
    return { state: 'MATCHED', reason: null, rule };
  }

  #isGuarded(ruling: Ruling, { destination, reason }: SeenFlow): boolean {
    // The guard spoke of addresses that the log does not name: nothing says that it would not again.
    if (destination === null) return reason === 'destination_forbidden';
    const word = remembered(this.#guarded, destination, text => this.#askGuard(text));
    return word === 'forbidden' || (word === 'private' && !ruling.allowPrivate);
  }

  #askGuard(text: string): GuardWord {
    const address = IpAddress.parse(text);
    return address === null ? 'ok' : this.#settings.guard(address);
  }
}
