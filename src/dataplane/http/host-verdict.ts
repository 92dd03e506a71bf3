import type { IpAddress } from '../../policy/address.ts';
import type { Decision } from '../../policy/decision.ts';
import type { Hostname } from '../../policy/hostname.ts';
import type { Resolution, ResolvedAddress } from '../../resolve/resolver.ts';
import { chooseDestination } from '../destination.ts';
import { Judgement } from '../judgement.ts';
import type { HttpOrigin, HttpWorld } from './http-world.ts';

/** What a request asks for: a name, or an address in its place. */
export interface AskedHost {
  readonly hostname: Hostname | null;
  readonly address: IpAddress | null;
  readonly port: number;
}

export interface HostVerdict {
  readonly decision: Decision;
  /** Where to dial, in order of preference; empty exactly when the action is deny. */
  readonly addresses: readonly IpAddress[];
  /** For the records: the address that was judged or is dialled first. */
  readonly dstIp: IpAddress | null;
}

/**
 * Judges the host of one request as a flow's hello is judged: by the policy in force now, then by the addresses that it
 * resolves to or, where the client's choice counts, by that one.
 */
export class HostJudge {
  readonly #asked: AskedHost;
  readonly #origin: HttpOrigin;
  readonly #world: HttpWorld;
  readonly #judgement: Judgement;

  constructor(asked: AskedHost, origin: HttpOrigin, world: HttpWorld) {
    this.#asked = asked;
    this.#origin = origin;
    this.#world = world;
    this.#judgement = new Judgement(world.policy, origin.client, world.clock);
    this.#judgement.judge(asked.hostname, asked.port);
  }

  /** What the rules alone say. The same text: nothing has changed since. */
  get ruling(): string {
    const { state, rule, reason } = this.#judgement.decision('deny');
    return JSON.stringify([state, rule, reason, this.#judgement.isObserving, this.#judgement.allowsPrivate]);
  }

  /** Whether the rules alone refuse it. */
  get isRefused(): boolean {
    return this.#judgement.isRefused;
  }

  /** Finds the addresses and has the last word. */
  async verdict(): Promise<HostVerdict> {
    if (this.#judgement.isRefused) return this.#denied();
    const chosen = this.#chosenByClient();
    if (chosen !== null) return this.#guard([{ ip: chosen, guard: this.#world.guard.judge(chosen) }]);
    const { hostname } = this.#asked;
    if (hostname === null) return this.#denied();
    const resolution = await this.#resolve(hostname);
    if (resolution.ok) return this.#guard(resolution.addresses);
    this.#judgement.unresolved(resolution.failure);
    return this.#denied();
  }

  #chosenByClient(): IpAddress | null {
    const { listener, originalDestination } = this.#origin;
    const isTrusted = listener.kind === 'transparent' && listener.destination === 'original';
    if (!isTrusted && !this.#judgement.isObserving) return null;
    return listener.kind === 'transparent' ? (originalDestination?.ip ?? null) : this.#asked.address;
  }

  #resolve(hostname: Hostname): Promise<Resolution> {
    return new Promise(done => this.#world.resolver.resolve(hostname, done, this.#origin.client.ip));
  }

  #guard(resolved: readonly ResolvedAddress[]): HostVerdict {
    const { listener, originalDestination } = this.#origin;
    const { port } = this.#asked;
    const candidates = this.#judgement.withoutDenied(resolved, port, this.#world.tcpAddresses());
    if (this.#judgement.isRefused) return this.#denied(resolved[0]?.ip);
    const destination = chooseDestination(candidates, {
      allowPrivate: this.#judgement.allowsPrivate,
      observing: this.#judgement.isObserving,
      isOwn: ip => this.#world.guard.isOwn(ip, port),
      original:
        listener.kind === 'transparent' && originalDestination !== null
          ? { ip: originalDestination.ip, mode: listener.destination }
          : null,
    });
    if (!destination.ok) {
      this.#judgement.forbid(destination.reason, 'DENIED');
      return this.#denied(candidates[0]?.ip);
    }
    const { addresses, onlyObserved } = destination;
    if (onlyObserved) this.#judgement.object('destination_forbidden', 'DENIED');
    const action = this.#judgement.reason === null ? 'allow' : 'would-deny';
    return { decision: this.#judgement.decision(action), addresses, dstIp: addresses[0] ?? null };
  }

  #denied(candidate: IpAddress | null = null): HostVerdict {
    const dstIp = this.#origin.originalDestination?.ip ?? this.#asked.address ?? candidate;
    return { decision: this.#judgement.decision('deny'), addresses: [], dstIp };
  }
}
