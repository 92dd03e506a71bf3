/** What a flow needs to know of the listener it came in by. Plain data: it crosses threads by structured clone. */
export type Listener = ListenerBase &
  /** CONNECT and SOCKS5: the client names its destination to us. `gateway` signs refusals. */
  (
    | { readonly kind: 'explicit'; readonly gateway: string }
    /** TLS straight at us, because DNS points here. */
    | { readonly kind: 'sni'; readonly upstreamPort: number }
    /** Traffic on its way elsewhere, led to us. `keepsSource`: upstreams see the client's address. */
    | {
        readonly kind: 'transparent';
        readonly intercept: 'redirect' | 'tproxy';
        readonly destination: DestinationMode;
        readonly keepsSource: boolean;
      }
  );

interface ListenerBase {
  readonly name: string;
  /** Absent: peers speak for themselves. */
  readonly proxyProtocol?: ProxyProtocolIn;
  /** The version of the PROXY protocol that upstreams are told the client's address in; absent: they are not told. */
  readonly sendProxyProtocol?: 'v1' | 'v2';
}

/** Who may say, by a PROXY protocol header, whom a connection is from: `trusted`, texts that `Cidr.parse` takes. */
export interface ProxyProtocolIn {
  /** `accept`: trusted peers may send a header. `require`: they must, and others are refused. */
  readonly mode: 'accept' | 'require';
  readonly trusted: readonly string[];
}

/**
 * Where a transparent flow is dialled in enforce mode: an address that we resolved; the same, but refuse when the
 * client's own choice is not among them; or the client's choice unseen.
 */
export type DestinationMode = 'resolve' | 'verify' | 'original';
