import type { DataPlane } from '../dataplane/data-plane.ts';
import type { Policy } from '../policy/policy.ts';
import { RuleBook } from '../policy/rule-book.ts';
import { packTcpAddresses, TcpAddresses } from '../policy/tcp-addresses.ts';
import { HostKeeper } from '../resolve/host-keeper.ts';
import type { Resolver } from '../resolve/resolver.ts';

/** Keeps the hosts of the running policy's tcp rules resolved, and the data plane informed. */
export class TcpNames {
  readonly #keeper: HostKeeper;
  #known = TcpAddresses.none();
  #plane: DataPlane | null = null;

  constructor(resolver: Resolver) {
    this.#keeper = new HostKeeper({
      resolver,
      now: () => performance.now(),
      after: (delayMs, fire) => {
        const timer = setTimeout(fire, delayMs).unref();
        return () => clearTimeout(timer);
      },
      onChange: hosts => {
        this.#known = TcpAddresses.from(packTcpAddresses(hosts));
        this.#plane?.setTcpAddresses(this.#known);
      },
    });
  }

  get known(): TcpAddresses {
    return this.#known;
  }

  /** Keeps the names of this policy from now on. */
  follow(policy: Policy): void {
    this.#keeper.keep(policy.hasTcpRules ? new RuleBook(policy).tcpHosts() : []);
  }

  /** Tells this data plane from now on, and at once what is known. */
  inform(plane: DataPlane): void {
    this.#plane = plane;
    plane.setTcpAddresses(this.#known);
  }

  stop(): void {
    this.#plane = null;
    this.#keeper.stop();
  }
}
