import type { IpAddress } from '../policy/address.ts';
import type { Hostname } from '../policy/hostname.ts';
import type { TcpHost } from '../policy/tcp-addresses.ts';
import type { After } from './cares.ts';
import type { Resolution, Resolver } from './resolver.ts';

export interface KeepLimits {
  /** How long an address stays known after an answer without it, or after its TTL. Clients keep answers for longer than they may. */
  readonly graceMs: number;
  /** The same while no server answers. */
  readonly outageMs: number;
  /** Between two questions for a name. */
  readonly minIntervalMs: number;
  /** Addresses of one name, the latest ones. */
  readonly maxAddresses: number;
  /** Names asked for at one time: flows ask the same servers. */
  readonly maxPending: number;
  /** Changes within this time are told at once. */
  readonly settleMs: number;
}

const DEFAULT_KEEP_LIMITS: KeepLimits = {
  graceMs: 600_000,
  outageMs: 3_600_000,
  minIntervalMs: 1_000,
  maxAddresses: 256,
  maxPending: 16,
  settleMs: 20,
};

export interface HostKeeperOptions {
  readonly resolver: Resolver;
  /** Monotonic, in milliseconds: the clock that `Resolution.expiresMs` is told by. */
  readonly now: () => number;
  readonly after: After;
  /** Hears of all hosts and their addresses whenever one has changed. */
  readonly onChange: (hosts: readonly TcpHost[]) => void;
  readonly limits?: Partial<KeepLimits>;
}

interface KeptHost {
  /** By text, the address and the end of its TTL. In the order in which they were last seen. */
  readonly addresses: Map<string, { readonly ip: IpAddress; readonly ttlEndMs: number }>;
  dueMs: number;
  isPending: boolean;
  isUnreachable: boolean;
}

/**
 * Keeps names resolved: asks again when an answer's TTL ends, and knows an address for a grace time after, because
 * clients connect to addresses that they looked up before. Addresses that are never dialled are not kept.
 */
export class HostKeeper {
  readonly #options: HostKeeperOptions;
  readonly #limits: KeepLimits;
  #hosts = new Map<Hostname, KeptHost>();
  #cancelWake: (() => void) | null = null;
  #cancelTold: (() => void) | null = null;

  constructor(options: HostKeeperOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_KEEP_LIMITS, ...options.limits };
  }

  /** Keeps these names from now on, and no others. What is known of them stays known. */
  keep(names: readonly Hostname[]): void {
    const before = this.#hosts;
    this.#hosts = new Map(names.map(name => [name, before.get(name) ?? newHost()]));
    if ([...before].some(([name, { addresses }]) => addresses.size > 0 && !this.#hosts.has(name)))
      this.#tell();
    this.#turn();
  }

  stop(): void {
    this.keep([]);
    this.#cancelWake?.();
    this.#cancelTold?.();
  }

  /** Asks what is due, drops what is over, and sleeps until there is something to do. */
  #turn(): void {
    this.#cancelWake?.();
    this.#cancelWake = null;
    const nowMs = this.#options.now();
    let pending = [...this.#hosts.values()].filter(host => host.isPending).length;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [name, host] of this.#hosts) {
      if (this.#dropOld(host, nowMs)) this.#tell();
      const isDue = !host.isPending && host.dueMs <= nowMs;
      if (isDue && pending < this.#limits.maxPending) {
        pending++;
        this.#ask(name, host);
      }
      // An answer, of this name or of one that is in its way, turns again.
      if (!host.isPending && !isDue) nextMs = Math.min(nextMs, host.dueMs);
      for (const { ttlEndMs } of host.addresses.values()) {
        nextMs = Math.min(nextMs, ttlEndMs + this.#graceOf(host));
      }
    }
    if (nextMs === Number.POSITIVE_INFINITY || this.#cancelWake !== null) return;
    this.#cancelWake = this.#options.after(Math.max(1, nextMs - nowMs), () => this.#turn());
  }

  #ask(name: Hostname, host: KeptHost): void {
    host.isPending = true;
    this.#options.resolver.resolve(name, resolution => {
      // A resolver may answer before it returns, in the middle of a turn.
      queueMicrotask(() => {
        host.isPending = false;
        if (this.#hosts.get(name) !== host) return;
        if (this.#take(host, resolution)) this.#tell();
        this.#turn();
      });
    });
  }

  /** Whether an address is new. */
  #take(host: KeptHost, resolution: Resolution): boolean {
    const nowMs = this.#options.now();
    host.dueMs = Math.max(resolution.expiresMs, nowMs + this.#limits.minIntervalMs);
    host.isUnreachable = !resolution.ok && resolution.failure !== 'unknown';
    if (!resolution.ok) return false;
    let isNew = false;
    for (const { ip, guard } of resolution.addresses) {
      if (guard === 'forbidden') continue;
      const key = ip.toString();
      isNew = !host.addresses.delete(key) || isNew;
      host.addresses.set(key, { ip, ttlEndMs: resolution.expiresMs });
    }
    const excess = host.addresses.size - this.#limits.maxAddresses;
    for (const key of [...host.addresses.keys()].slice(0, Math.max(0, excess))) host.addresses.delete(key);
    return isNew;
  }

  /** Whether there was any. */
  #dropOld(host: KeptHost, nowMs: number): boolean {
    const graceMs = this.#graceOf(host);
    const old = [...host.addresses].filter(([, { ttlEndMs }]) => nowMs >= ttlEndMs + graceMs);
    for (const [key] of old) host.addresses.delete(key);
    return old.length > 0;
  }

  #graceOf({ isUnreachable }: KeptHost): number {
    return isUnreachable ? this.#limits.outageMs : this.#limits.graceMs;
  }

  #tell(): void {
    this.#cancelTold ??= this.#options.after(this.#limits.settleMs, () => {
      this.#cancelTold = null;
      this.#options.onChange(
        [...this.#hosts].map(([hostname, { addresses }]) => ({
          hostname,
          addresses: [...addresses.values()].map(({ ip }) => ip),
        })),
      );
    });
  }
}

function newHost(): KeptHost {
  return { addresses: new Map(), dueMs: 0, isPending: false, isUnreachable: false };
}
