import { IpAddress } from './address.ts';
import { decideDestination } from './decide-destination.ts';
import type { Ruling } from './decision.ts';
import { type Hostname, parseHostname } from './hostname.ts';
import type { Policy } from './policy.ts';
import { remembered } from './remembered.ts';
import type { ParsedPolicy } from './rules.ts';
import type { SeenFlow } from './seen-flow.ts';
import { TcpAddresses } from './tcp-addresses.ts';

/** A source of flows, read once. */
export interface KnownSource {
  readonly address: IpAddress;
  readonly vpcEndpoint: string | undefined;
  /** Sources of one class are told apart by nothing. */
  readonly sourceClass: number;
}

/** A host of flows, read once, with what was decided about it. */
export interface KnownHost {
  readonly hostname: Hostname;
  /** By source class, span of time and port. */
  readonly rulings: Map<number, Ruling>;
}

const MAX_RULINGS = 100_000;
const PORTS = 65_536;

/**
 * A policy that is asked about many flows alike. Decisions are kept by host, port, source class and span of time
 * between two moments at which a rule ends, which is all that they depend on.
 */
export class RulingMemo {
  readonly #policy: Policy;
  /** A log says what its flows asked for, not what hosts resolve to. */
  readonly #addresses = TcpAddresses.none();
  /** When rules end, ascending. */
  readonly #moments: readonly number[];
  readonly #sources = new Map<string, KnownSource | null>();
  readonly #classes = new Map<string, number>();
  readonly #hosts = new Map<string, KnownHost | null>();

  /** `policy` is compiled from `parsed`. */
  constructor(parsed: ParsedPolicy, policy: Policy) {
    this.#policy = policy;
    const ends = parsed.rules.flatMap(rule => (rule.untilMs === null ? [] : [rule.untilMs]));
    this.#moments = [...new Set(ends)].sort((a, b) => a - b);
  }

  /** Null for what is no address. */
  source({ source: text, vpcEndpoint }: Pick<SeenFlow, 'source' | 'vpcEndpoint'>): KnownSource | null {
    return remembered(this.#sources, vpcEndpoint === undefined ? text : `${text} ${vpcEndpoint}`, () => {
      const address = IpAddress.parse(text);
      if (address === null) return null;
      const sourceClass = this.#classOf(this.#policy.sourceClass(address, vpcEndpoint));
      return { address, vpcEndpoint, sourceClass };
    });
  }

  /** Null for what is no hostname. */
  host(text: string): KnownHost | null {
    return remembered(this.#hosts, text, readHost);
  }

  /** What the policy says of the host at `nowMs`, by rules of either kind. */
  decide({ hostname, rulings }: KnownHost, port: number, source: KnownSource, nowMs: number): Ruling {
    const key = (source.sourceClass * (this.#moments.length + 1) + this.#span(nowMs)) * PORTS + port;
    let ruling = rulings.get(key);
    if (ruling === undefined) {
      const { address: from, vpcEndpoint } = source;
      const query = { hostname, address: null, port, source: from, vpcEndpoint, nowMs };
      ruling = decideDestination(this.#policy, query, this.#addresses);
      if (rulings.size >= MAX_RULINGS) rulings.clear();
      rulings.set(key, ruling);
    }
    return ruling;
  }

  #classOf(text: string): number {
    const known = this.#classes.get(text);
    if (known !== undefined) return known;
    this.#classes.set(text, this.#classes.size);
    return this.#classes.size - 1;
  }

  /** How many of the moments have passed. */
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
}

function readHost(text: string): KnownHost | null {
  const parsed = parseHostname(text);
  return parsed.ok ? { hostname: parsed.hostname, rulings: new Map() } : null;
}
