import dns from 'node:dns';
import { IpAddress } from '../policy/address.ts';
import type { Hostname } from '../policy/hostname.ts';
import { interleave } from './interleave.ts';
import type { GuardVerdict, Resolution, ResolvedAddress, ResolveFailure, Resolver } from './resolver.ts';

/** Bounds of one resolution; milliseconds unless named otherwise. */
export interface ResolveLimits {
  /** The whole resolution, both families, all servers and repeats. */
  readonly timeoutMs: number;
  /** How long the second family may keep the first one's addresses waiting (RFC 8305 §3). */
  readonly resolutionDelayMs: number;
  /** TTLs are clamped to this range. */
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
  /** At most this long when only one family could be had in time: the other may be there at the next try. */
  readonly partialTtlMs: number;
  readonly unknownTtlMs: number;
  readonly unreachableTtlMs: number;
  /** Addresses kept of one name. */
  readonly maxAddresses: number;
}

const DEFAULT_RESOLVE_LIMITS: ResolveLimits = {
  timeoutMs: 5_000,
  resolutionDelayMs: 50,
  minTtlMs: 1_000,
  maxTtlMs: 300_000,
  partialTtlMs: 5_000,
  unknownTtlMs: 5_000,
  unreachableTtlMs: 1_000,
  maxAddresses: 32,
};

/** Calls `fire` once after `delayMs`, unless the returned function is called first. */
export type After = (delayMs: number, fire: () => void) => () => void;

export interface CaresResolverOptions {
  /** `ip`, `ip:port` or `[ip]:port`; the system's when empty. */
  readonly servers: readonly string[];
  readonly judge: (ip: IpAddress) => GuardVerdict;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  readonly limits?: Partial<ResolveLimits>;
  readonly after?: After;
}

/** c-ares' own patience a server and try; two tries fit into `timeoutMs`, since the second one waits twice as long. */
const TRY_TIMEOUT_MS = 1_500;
const TRIES = 2;

type Answer =
  | { readonly ok: true; readonly ips: readonly IpAddress[]; readonly ttlMs: number }
  | { readonly ok: false; readonly failure: ResolveFailure };

/**
 * Asks DNS servers for A and AAAA at the same time. Never `dns.lookup`: that reads numbers as addresses, follows
 * search domains and blocks the thread pool. Each resolution has a c-ares channel of its own (16 µs), so that it
 * can be cancelled alone and leaves from a fresh source port (RFC 5452 §9.2).
 */
export class CaresResolver implements Resolver {
  readonly #servers: readonly string[];
  readonly #judge: (ip: IpAddress) => GuardVerdict;
  readonly #now: () => number;
  readonly #limits: ResolveLimits;
  readonly #after: After;

  /** Throws when a server is none that c-ares can parse. */
  constructor({ servers, judge, now, limits = {}, after = afterTimeout }: CaresResolverOptions) {
    this.#servers = servers;
    this.#judge = judge;
    this.#now = now;
    this.#limits = { ...DEFAULT_RESOLVE_LIMITS, ...limits };
    this.#after = after;
    this.#openChannel();
  }

  resolve(hostname: Hostname, done: (resolution: Resolution) => void): void {
    const channel = this.#openChannel();
    let v4: Answer | undefined;
    let v6: Answer | undefined;
    let settled = false;
    let cancelDelay: (() => void) | undefined;

    const settle = () => {
      if (settled) return;
      settled = true;
      cancelTimeout();
      cancelDelay?.();
      channel.cancel();
      done(this.#conclude(v4, v6));
    };
    const answered = () => {
      if (v4 !== undefined && v6 !== undefined) settle();
      else if (v4?.ok || v6?.ok) cancelDelay = this.#after(this.#limits.resolutionDelayMs, settle);
    };
    const cancelTimeout = this.#after(this.#limits.timeoutMs, settle);

    channel.resolve6(hostname, { ttl: true }, (error, records) => {
      if (settled) return;
      v6 = readAnswer(error, records);
      answered();
    });
    channel.resolve4(hostname, { ttl: true }, (error, records) => {
      if (settled) return;
      v4 = readAnswer(error, records);
      answered();
    });
  }

  #openChannel(): dns.Resolver {
    const channel = new dns.Resolver({ timeout: TRY_TIMEOUT_MS, tries: TRIES });
    if (this.#servers.length > 0) channel.setServers(this.#servers);
    return channel;
  }

  #conclude(v4: Answer | undefined, v6: Answer | undefined): Resolution {
    const limits = this.#limits;
    const found = [v6, v4].flatMap(answer => (answer?.ok ? [answer] : []));
    if (found.length === 0) {
      const failure = bothUnknown(v4, v6) ? 'unknown' : 'unreachable';
      const ttlMs = failure === 'unknown' ? limits.unknownTtlMs : limits.unreachableTtlMs;
      return { ok: false, failure, expiresMs: this.#now() + ttlMs };
    }
    const isPartial = [v4, v6].some(answer => answer === undefined || isUnreachable(answer));
    const maxTtlMs = isPartial ? Math.min(limits.partialTtlMs, limits.maxTtlMs) : limits.maxTtlMs;
    const ttlMs = Math.min(...found.map(answer => answer.ttlMs));
    return {
      ok: true,
      addresses: this.#judged(interleave(found.map(answer => answer.ips))),
      expiresMs: this.#now() + Math.min(Math.max(ttlMs, limits.minTtlMs), maxTtlMs),
    };
  }

  #judged(ips: readonly IpAddress[]): ResolvedAddress[] {
    const unique = new Map(ips.map(ip => [ip.toString(), ip]));
    return [...unique.values()]
      .slice(0, this.#limits.maxAddresses)
      .map(ip => ({ ip, guard: this.#judge(ip) }));
  }
}

function readAnswer(error: NodeJS.ErrnoException | null, records: readonly dns.RecordWithTtl[]): Answer {
  if (error !== null) {
    const isUnknown = error.code === dns.NOTFOUND || error.code === dns.NODATA;
    return { ok: false, failure: isUnknown ? 'unknown' : 'unreachable' };
  }
  const ips = records.flatMap(({ address }) => IpAddress.parse(address) ?? []);
  if (ips.length === 0) return { ok: false, failure: 'unknown' };
  return { ok: true, ips, ttlMs: 1_000 * Math.min(...records.map(({ ttl }) => ttl)) };
}

function isUnreachable(answer: Answer): boolean {
  return !answer.ok && answer.failure === 'unreachable';
}

/** Only both families' word counts: a server that fails for one of them leaves the name's existence open. */
function bothUnknown(v4: Answer | undefined, v6: Answer | undefined): boolean {
  return v4 !== undefined && v6 !== undefined && !isUnreachable(v4) && !isUnreachable(v6);
}

function afterTimeout(delayMs: number, fire: () => void): () => void {
  const timer = setTimeout(fire, delayMs);
  return () => clearTimeout(timer);
}
