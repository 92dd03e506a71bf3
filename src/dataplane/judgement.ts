import type { IpAddress } from '../policy/address.ts';
import type { Action, Decision, EchMode, Mode, Ruling, State } from '../policy/decision.ts';
import type { Hostname } from '../policy/hostname.ts';
import type { KnownAddresses, Policy, TcpQuery, TcpRuling } from '../policy/policy.ts';
import type { Reason } from '../policy/reason.ts';
import type { ResolveFailure } from '../resolve/resolver.ts';
import type { Clock } from './clock.ts';
import type { Client } from './wire.ts';

/** What speaks against a flow, and what that makes of its state. */
export interface Objection {
  readonly state: State;
  readonly reason: Reason;
}

/**
 * What the policy says of one flow, and what else speaks against it. One policy snapshot a flow: the one in force when
 * it is first asked. In enforce mode an objection ends the flow; in observe mode the first one is reported.
 */
export class Judgement {
  readonly #policyNow: () => Policy;
  readonly #client: Client;
  readonly #clock: Clock;
  #policy: Policy | null = null;
  #ruling: Ruling | null = null;
  #objection: Objection | null = null;

  constructor(policyNow: () => Policy, client: Client, clock: Clock) {
    this.#clock = clock;
    this.#policyNow = policyNow;
    this.#client = client;
  }

  get mode(): Mode {
    const { ip, vpcEndpoint } = this.#client;
    return this.#ruling?.mode ?? this.#snapshot().modeOf(ip, this.#clock.epochMs, vpcEndpoint);
  }

  get isObserving(): boolean {
    return this.mode === 'observe';
  }

  /** Whether something speaks against the flow in a mode that acts on it. */
  get isRefused(): boolean {
    return this.#objection !== null && !this.isObserving;
  }

  get allowsPrivate(): boolean {
    return this.#ruling?.allowPrivate ?? false;
  }

  /** What the rule that decided, else the policy, says of Encrypted Client Hello; null before a name was judged. */
  get ech(): EchMode | null {
    return this.#ruling?.ech ?? null;
  }

  get reason(): Reason | null {
    return this.#objection?.reason ?? null;
  }

  /** Holds a name, or the lack of one, against the policy. */
  judge(hostname: Hostname | null, port: number): void {
    this.#take(this.#snapshot().decide(this.#query(hostname, null, port)));
  }

  /** Asks tcp rules about a destination that nothing was said about. Null when none matches: then nothing is judged yet. */
  judgeAddress(address: IpAddress, port: number, known: KnownAddresses): TcpRuling | null {
    const policy = this.#policy ?? this.#policyNow();
    const ruling = policy.decideTcp(this.#query(null, address, port), known);
    if (ruling === null) return null;
    this.#policy = policy;
    this.#take(ruling);
    return ruling;
  }

  /**
   * Judges what a client asks for itself, a name or an address: a deny rule of either kind wins, then a tcp rule. Returns
   * the tcp rule's ruling, or null where names on the wire have to be looked at.
   */
  judgeRequest(
    hostname: Hostname | null,
    address: IpAddress | null,
    port: number,
    known: KnownAddresses,
  ): TcpRuling | null {
    const query = this.#query(hostname, address, port);
    const policy = this.#snapshot();
    const named = policy.decide(query);
    const tcp = named.state === 'DENIED' ? null : policy.decideTcp(query, known);
    this.#take(tcp ?? named);
    return tcp;
  }

  /** Leaves out the addresses that tcp rules deny; where they deny all of them, they have the say. */
  withoutDenied<T extends { readonly ip: IpAddress }>(
    candidates: readonly T[],
    port: number,
    known: KnownAddresses,
  ): readonly T[] {
    const policy = this.#snapshot();
    if (!policy.hasTcpRules) return candidates;
    let denial: TcpRuling | null = null;
    const others = candidates.filter(({ ip }) => {
      const ruling = policy.decideTcp(this.#query(null, ip, port), known);
      if (ruling?.state !== 'DENIED') return true;
      denial = ruling;
      return false;
    });
    if (others.length > 0 || denial === null) return others;
    this.#take(denial);
    return candidates;
  }

  /**
   * Judges anew under the policy in force now, in place of all that was said before. `tcp`: by rules of either kind.
   * `objection`: what else that policy says against the flow.
   */
  judgeAnew(
    hostname: Hostname | null,
    port: number,
    tcp: KnownAddresses | null,
    objection: Objection | null,
  ): void {
    this.#policy = null;
    this.#objection = null;
    if (tcp === null) this.judge(hostname, port);
    else this.judgeRequest(hostname, null, port, tcp);
    this.#objection ??= objection;
  }

  /**
   * Notes what speaks against the flow; the first objection stands. Without a state of its own it takes a name's MATCHED
   * away, for it is a guard that speaks.
   */
  object(reason: Reason, state = this.#guardState()): void {
    this.#objection ??= { reason, state };
  }

  /** Notes what no mode can pass over; it stands before anything noted earlier. */
  forbid(reason: Reason, state = this.#guardState()): void {
    this.#objection = { reason, state };
  }

  /** Notes why nothing comes of the flow although no guard spoke: what the rules said of it stays. */
  giveUp(reason: Reason): void {
    this.#objection = { reason, state: this.#ruling?.state ?? 'NO_MATCH' };
  }

  /** Notes that there are no addresses for the name. */
  unresolved(failure: ResolveFailure): void {
    if (failure === 'limited') this.forbid('dns_limit', 'DENIED');
    else this.giveUp('unresolvable');
  }

  decision(action: Action): Decision {
    const rule =
      this.#ruling === null || this.#ruling.rule < 0 ? null : this.#snapshot().ruleName(this.#ruling.rule);
    return {
      action,
      rule,
      state: this.#objection?.state ?? this.#ruling?.state ?? 'NO_MATCH',
      reason: this.#objection?.reason ?? null,
    };
  }

  #take(ruling: Ruling): void {
    this.#ruling = ruling;
    if (ruling.reason !== null) this.object(ruling.reason, ruling.state);
  }

  #query(hostname: Hostname | null, address: IpAddress | null, port: number): TcpQuery {
    const { ip: source, vpcEndpoint } = this.#client;
    return { hostname, address, port, source, vpcEndpoint, nowMs: this.#clock.epochMs };
  }

  #guardState(): State {
    return this.#ruling?.state === 'MATCHED' ? 'DENIED' : (this.#ruling?.state ?? 'NO_MATCH');
  }

  #snapshot(): Policy {
    this.#policy ??= this.#policyNow();
    return this.#policy;
  }
}
