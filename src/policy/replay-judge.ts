import { IpAddress } from './address.ts';
import type { Ruling, State } from './decision.ts';
import { type Hostname, parseHostname } from './hostname.ts';
import type { Policy } from './policy.ts';
import type { ParsedPolicy } from './rules.ts';
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

interface Source {
  readonly address: IpAddress;
  readonly sourceClass: number;
  readonly groups: readonly string[];
}

interface Host {
  readonly hostname: Hostname;
  /** By source class, port and time span. */
  readonly rulings: Map<number, Ruling>;
}

/** Said by the rules alone: they say it again, or do not. Any other reason is a guard's, a limit's or the wire's. */
const REASONS_OF_RULES = new Set(['not_allowed', 'rule_denied', 'ech', 'destination_forbidden']);
const MAX_MEMORY = 100_000;
const PORTS = 65_536;

/**
 * Judges flows of the past by a policy. Decisions are kept by host, port, source class and span of time between two
 * moments at which a rule ends, which is all they depend on.
 */
export class ReplayJudge {
  readonly #settings: ReplaySettings;
  /** When rules end, ascending. */
  readonly #moments: readonly number[];
  readonly #groups: SourceGroups;
  readonly #sources = new Map<string, Source | null>();
  readonly #hosts = new Map<string, Host | null>();
  readonly #guarded = new Map<string, GuardWord>();

  constructor(settings: ReplaySettings) {
    this.#settings = settings;
    this.#groups = new SourceGroups(settings.parsed.sources);
    const ends = settings.parsed.rules.flatMap(rule => (rule.untilMs === null ? [] : [rule.untilMs]));
    this.#moments = [...new Set(ends)].sort((a, b) => a - b);
  }

  judge(flow: SeenFlow): Judged | Unjudged {
    const source = remembered(this.#sources, flow.source, text => this.#readSource(text));
    if (source === null) return 'source';
    const { groups } = source;
    // Without a name there is nothing to judge by: what was said stays.
    if (flow.hostname === null) return { hostname: null, verdict: flow, groups };
    const host = remembered(this.#hosts, flow.hostname, readHost);
    if (host === null) return 'hostname';
    const ruling = this.#rule(host, flow, source);
    return { hostname: host.hostname, verdict: this.#verdict(ruling, flow), groups };
  }

  #rule(host: Host, { port, timeMs }: SeenFlow, { address, sourceClass }: Source): Ruling {
    const nowMs = this.#settings.atMs ?? timeMs ?? this.#settings.nowMs;
    const key = (sourceClass * (this.#moments.length + 1) + this.#span(nowMs)) * PORTS + port;
    let ruling = host.rulings.get(key);
    if (ruling === undefined) {
      ruling = this.#settings.policy.decide({ hostname: host.hostname, port, source: address, nowMs });
      if (host.rulings.size >= MAX_MEMORY) host.rulings.clear();
      host.rulings.set(key, ruling);
    }
    return ruling;
  }

  /** How many rules' ends have passed. */
  #span(nowMs: number): number {
    let low = 0;
    let high = this.#moments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (nowMs >= (this.#moments[middle] ?? 0)) low = middle + 1;
      else high = middle;
    }
    return low;
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

  #readSource(text: string): Source | null {
    const address = IpAddress.parse(text);
    if (address === null) return null;
    const sourceClass = this.#settings.policy.sourceClass(address);
    return { address, sourceClass, groups: this.#groups.of(address) };
  }
}

function readHost(text: string): Host | null {
  const parsed = parseHostname(text);
  return parsed.ok ? { hostname: parsed.hostname, rulings: new Map() } : null;
}

/** A look-up that is made once a text, as long as there are not too many of them. */
function remembered<T>(memory: Map<string, T>, text: string, make: (text: string) => T): T {
  let value = memory.get(text);
  if (value === undefined) {
    value = make(text);
    if (memory.size >= MAX_MEMORY) memory.clear();
    memory.set(text, value);
  }
  return value;
}
