import type { IpAddress } from './address.ts';
import { asciiText } from './ascii-text.ts';
import { weightOf } from './collector-weight.ts';
import type { EchMode, Mode, Ruling } from './decision.ts';
import type { Hostname } from './hostname.ts';
import { FLAG, RULE, SCALAR, type Sections, viewSections } from './layout.ts';
import { NONE, RuleMatcher } from './rule-matcher.ts';
import { SourceIndex } from './source-index.ts';

/** What a flow asks: the name it gave (null for none), the port, and who asks. */
export interface PolicyQuery {
  readonly hostname: Hostname | null;
  readonly port: number;
  readonly source: IpAddress;
  /** The VPC endpoint that the source comes through; absent for none. */
  readonly vpcEndpoint?: string | undefined;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

/** What is asked of a destination, whatever is said on the wire. */
export interface TcpQuery extends Omit<PolicyQuery, 'hostname'> {
  /** What the client itself asks for, in a CONNECT or SOCKS request; null for none. */
  readonly hostname: Hostname | null;
  /** The destination; null where it is not known yet. */
  readonly address: IpAddress | null;
}

/** What the hosts of tcp rules resolve to. */
export interface KnownAddresses {
  /** The hosts that have the address. */
  namesOf(address: IpAddress): readonly Hostname[];
}

/** The answer of a tcp rule. */
export interface TcpRuling extends Ruling {
  /** The host of the rule that is asked for or has the address; null where a block holds it. */
  readonly hostname: Hostname | null;
}

/**
 * A compiled policy. A view over shared memory: made in constant time on any thread, never written to. One instance
 * serves one thread, because a decision keeps its scratch in the instance.
 */
export class Policy {
  readonly buffer: SharedArrayBuffer;
  readonly ruleCount: number;
  readonly hasTcpRules: boolean;
  /** Of the policy's files, lower-case hex. */
  readonly sha256: string;
  /** Epoch milliseconds from which `observe` is `enforce`; null for never. */
  readonly observeUntilMs: number | null;
  /** Held for the collector's sake only: see `weightOf`. */
  readonly weight: ArrayBuffer | null;
  readonly #sections: Sections;
  readonly #sources: SourceIndex;
  readonly #mode: Mode;
  /** Infinity for never. */
  readonly #observeUntilMs: number;
  readonly #ech: EchMode;
  readonly #matcher: RuleMatcher;
  readonly #names: (string | undefined)[] = [];

  private constructor(buffer: SharedArrayBuffer) {
    const sections = viewSections(buffer);
    const { scalars } = sections;
    this.buffer = buffer;
    this.weight = weightOf(buffer);
    this.#sections = sections;
    this.#sources = new SourceIndex(sections);
    this.#mode = scalars[SCALAR.mode] === 1 ? 'observe' : 'enforce';
    this.#observeUntilMs = sections.times[0] ?? 0;
    this.observeUntilMs = this.#observeUntilMs === Infinity ? null : this.#observeUntilMs;
    this.#ech = scalars[SCALAR.ech] === 1 ? 'outer' : 'deny';
    this.#matcher = new RuleMatcher(sections, this.#sources);
    this.ruleCount = scalars[SCALAR.ruleCount] ?? 0;
    this.hasTcpRules = (scalars[SCALAR.tcpRuleCount] ?? 0) > 0;
    this.sha256 = this.#text(scalars[SCALAR.shaOffset] ?? 0, scalars[SCALAR.shaLength] ?? 0);
  }

  /** Views what `compilePolicy` made. Throws when the buffer is something else. */
  static from(buffer: SharedArrayBuffer): Policy {
    return new Policy(buffer);
  }

  /**
   * The policy's answer: a deny rule that matches wins over all, then the allow rule with the most specific pattern,
   * else nothing matches. A rule matches by pattern, port, source and `until`.
   */
  decide(query: PolicyQuery): Ruling {
    const block = this.#sources.blockOf(query.source);
    const endpoint = this.#endpointBlock(query.vpcEndpoint);
    const mode = this.#modeOfBlocks(block, endpoint, query.nowMs);
    if (query.hostname === null) return this.#unmatched('no_hostname', mode);
    this.#matcher.ask(query.port, block, endpoint, query.nowMs);
    this.#matcher.matchHost(query.hostname, 'named');
    return this.#matched(mode) ?? this.#unmatched('not_allowed', mode);
  }

  /**
   * The answer of tcp rules, which match by the destination's address, or by the host that a client asks for itself:
   * a deny rule wins, then the most specific host or block. Null when none matches.
   */
  decideTcp(query: TcpQuery, known: KnownAddresses): TcpRuling | null {
    if (!this.hasTcpRules) return null;
    const { hostname, address, port, source, vpcEndpoint, nowMs } = query;
    const block = this.#sources.blockOf(source);
    const endpoint = this.#endpointBlock(vpcEndpoint);
    const matcher = this.#matcher;
    matcher.ask(port, block, endpoint, nowMs);
    if (hostname !== null) matcher.matchHost(hostname, 'tcp');
    if (address !== null) {
      for (const name of known.namesOf(address)) matcher.matchHost(name, 'tcp');
      matcher.matchAddress(address);
    }
    const ruling = this.#matched(this.#modeOfBlocks(block, endpoint, nowMs));
    if (ruling === null) return null;
    return { ...ruling, hostname: ruling.state === 'DENIED' ? matcher.denyHost : matcher.allowHost };
  }

  /**
   * The mode in force for a source: its group's own, that of its VPC endpoint before that of its address; else the
   * policy's, which `observeUntil` turns into enforce.
   */
  modeOf(source: IpAddress, nowMs: number, vpcEndpoint?: string): Mode {
    return this.#modeOfBlocks(this.#sources.blockOf(source), this.#endpointBlock(vpcEndpoint), nowMs);
  }

  /** The mode that the policy says for sources without one of their own; `observeUntil` turns it into enforce. */
  modeAt(nowMs: number): Mode {
    return this.#modeOfBlocks(0, 0, nowMs);
  }

  /** The first moment after `afterMs` when the policy says something else by itself; Infinity for never. */
  nextEndMs(afterMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const endMs of this.#sections.times) if (endMs > afterMs && endMs < next) next = endMs;
    return next;
  }

  /** The names of the rules whose `until` lies after one moment, and not after another. */
  rulesEnded(afterMs: number, nowMs: number): string[] {
    const names: string[] = [];
    for (const [at, endMs] of this.#sections.times.entries())
      if (at > 0 && endMs > afterMs && endMs <= nowMs) names.push(this.ruleName(at - 1));
    return names;
  }

  /** A text that two sources share only if no rule and no group tells them apart. */
  sourceClass(source: IpAddress, vpcEndpoint?: string): string {
    return `${this.#sources.blockOf(source)} ${this.#endpointBlock(vpcEndpoint)}`;
  }

  /** The name of a rule by the index in a `Ruling`. Throws a RangeError for an index that is none. */
  ruleName(index: number): string {
    const known = this.#names[index];
    if (known !== undefined) return known;
    if (!Number.isInteger(index) || index < 0 || index >= this.#sections.rules.length / RULE.size)
      throw new RangeError(`no rule ${index}`);
    const { rules } = this.#sections;
    const at = index * RULE.size;
    const name = this.#text(rules[at + RULE.name] ?? 0, rules[at + RULE.nameLength] ?? 0);
    this.#names[index] = name;
    return name;
  }

  #endpointBlock(vpcEndpoint: string | undefined): number {
    return vpcEndpoint === undefined ? 0 : this.#sources.blockOfEndpoint(vpcEndpoint);
  }

  #modeOfBlocks(block: number, endpoint: number, nowMs: number): Mode {
    const code = this.#sources.modeCode(endpoint) || this.#sources.modeCode(block);
    if (code !== 0) return code === 1 ? 'observe' : 'enforce';
    return this.#mode === 'observe' && nowMs < this.#observeUntilMs ? 'observe' : 'enforce';
  }

  /** The ruling of the best rule that the matcher has found; null for none. */
  #matched(mode: Mode): Ruling | null {
    const { allowRule, denyRule } = this.#matcher;
    if (denyRule !== NONE) {
      const ech = this.#echOf(denyRule);
      return { state: 'DENIED', rule: denyRule, reason: 'rule_denied', mode, allowPrivate: false, ech };
    }
    if (allowRule === NONE) return null;
    const allowPrivate = (this.#flags(allowRule) & FLAG.allowPrivate) !== 0;
    return {
      state: 'MATCHED',
      rule: allowRule,
      reason: null,
      mode,
      allowPrivate,
      ech: this.#echOf(allowRule),
    };
  }

  #unmatched(reason: 'not_allowed' | 'no_hostname', mode: Mode): Ruling {
    return { state: 'NO_MATCH', rule: NONE, reason, mode, allowPrivate: false, ech: this.#ech };
  }

  #flags(rule: number): number {
    return this.#sections.rules[rule * RULE.size + RULE.flags] ?? 0;
  }

  #echOf(rule: number): EchMode {
    const flags = this.#flags(rule);
    if ((flags & FLAG.echOuter) !== 0) return 'outer';
    return (flags & FLAG.echDeny) !== 0 ? 'deny' : this.#ech;
  }

  #text(offset: number, length: number): string {
    return asciiText(this.#sections.bytes, offset, length);
  }
}
