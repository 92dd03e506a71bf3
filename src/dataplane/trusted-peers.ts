import type { IpAddress } from '../policy/address.ts';
import { BlockSet } from '../policy/source-groups.ts';
import { parseBlock } from './guard.ts';
import type { ProxyProtocolIn } from './listener.ts';

/** Tells who may say by a PROXY protocol header whom a connection is from. */
export class TrustedPeers {
  readonly #blocks = new Map<ProxyProtocolIn, BlockSet>();

  /** `settings`: of a listener, always the same object. Throws for texts that are no blocks. */
  has(settings: ProxyProtocolIn, peer: IpAddress): boolean {
    let blocks = this.#blocks.get(settings);
    if (blocks === undefined) {
      blocks = new BlockSet(settings.trusted.map(parseBlock));
      this.#blocks.set(settings, blocks);
    }
    return blocks.holds(peer);
  }
}
