import type { Family } from './nft.ts';

/** A destination block, in the bits of its own family. */
export interface Block {
  readonly family: Family;
  readonly address: string;
  readonly length: number;
  /** Why it is left alone; a rule's comment. */
  readonly why: string;
}

/** How the traffic for one transparent listener is led there. */
export interface Interception {
  readonly listener: string;
  readonly by: 'redirect' | 'tproxy';
  /** Of the packets that the listener can take. */
  readonly families: readonly Family[];
  /** Null: the listener is bound to any address. Else of the one family. */
  readonly address: string | null;
  readonly port: number;
  /** TCP ports, ascending, none twice. */
  readonly ports: readonly number[];
  /** Where clients come in; a trailing `*` stands for any ending. Empty: anywhere. */
  readonly interfaces: readonly string[];
}

/** Everything that the ruleset says, independent of the notation. */
export interface Plan {
  readonly interceptions: readonly Interception[];
  /** Destinations that are neither intercepted nor refused. */
  readonly except: readonly Block[];
  /** Also refuse whatever else clients send to be forwarded. */
  readonly strict: boolean;
  /** Intercept what this host sends itself, but for what this user sends; no tproxy then. Null: do not. */
  readonly ownUid: number | null;
}
