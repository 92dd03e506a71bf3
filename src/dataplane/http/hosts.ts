import type { FlowEnd } from '../events.ts';
import { HostFlow } from './host-flow.ts';
import { type AskedHost, HostJudge } from './host-verdict.ts';
import type { HttpOrigin, HttpWorld } from './http-world.ts';

/** Connections to different hosts that one client connection keeps; the one unused for longest makes room. */
const MAX_HOSTS = 16;

/** The hosts that one client connection has named, each judged again at every request. */
export class Hosts {
  readonly #origin: HttpOrigin;
  readonly #world: HttpWorld;
  readonly #active: () => void;
  /** The least recently used first. */
  readonly #flows = new Map<string, HostFlow>();

  constructor(origin: HttpOrigin, world: HttpWorld, active: () => void) {
    this.#origin = origin;
    this.#world = world;
    this.#active = active;
  }

  /**
   * The flow for a request's host by the policy in force now: the one there is as long as the verdict on it is the same,
   * else a new one, which may be denied. `isWanted` tells whether the client is still there once the name is resolved.
   */
  async flowTo(asked: AskedHost, isWanted: () => boolean): Promise<HostFlow | null> {
    const key = `${asked.hostname ?? asked.address}:${asked.port}`;
    const judge = new HostJudge(asked, this.#origin, this.#world);
    const known = this.#flows.get(key);
    if (known?.upstream.isConnected && known.ruling === judge.ruling) {
      return this.#use(key, known);
    }
    const verdict = await judge.verdict();
    if (!isWanted()) return null;
    if (known?.takes(verdict, judge.ruling)) return this.#use(key, known);
    known?.close(known.ruling === judge.ruling ? 'server_fin' : 'policy_changed');
    this.#flows.delete(key);
    const flow = new HostFlow({
      asked,
      origin: this.#origin,
      world: this.#world,
      ruling: judge.ruling,
      verdict,
      active: this.#active,
    });
    this.#makeRoom();
    return this.#use(key, flow);
  }

  /** Closes the flows of hosts that the rules in force now refuse, except for one: whether that is refused, too. */
  closeDenied(inUse: HostFlow | null): boolean {
    for (const [key, flow] of this.#flows) {
      if (flow === inUse || !this.#isNowRefused(flow)) continue;
      flow.close('policy_changed');
      this.#flows.delete(key);
    }
    return inUse !== null && this.#isNowRefused(inUse);
  }

  closeAll(end: FlowEnd): void {
    for (const flow of this.#flows.values()) flow.close(end);
    this.#flows.clear();
  }

  #isNowRefused({ asked }: HostFlow): boolean {
    return new HostJudge(asked, this.#origin, this.#world).isRefused;
  }

  #use(key: string, flow: HostFlow): HostFlow {
    this.#flows.delete(key);
    this.#flows.set(key, flow);
    return flow;
  }

  #makeRoom(): void {
    for (const [key, flow] of this.#flows) {
      if (this.#flows.size < MAX_HOSTS) return;
      flow.close('idle_timeout');
      this.#flows.delete(key);
    }
  }
}
